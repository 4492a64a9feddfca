// Reading and writing pictures by stb_image.
#include "io/file.hpp"
#include "io/picture_file.hpp"
#include <fovea/io.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <optional>
#include <utility>

// A header may promise far more data than it is followed by, and stb takes memory on its word. While a picture is read
// no single allocation passes the bound that its extents justify.
namespace fovea::io {
namespace {
thread_local std::size_t allocation_limit = 0;
void* bounded_realloc(void* data, std::size_t size) {
  return size <= allocation_limit ? std::realloc(data, size) : nullptr;
}
}  // namespace
}  // namespace fovea::io

#define STBI_MALLOC(size) fovea::io::bounded_realloc(nullptr, size)
#define STBI_REALLOC(data, size) fovea::io::bounded_realloc(data, size)
#define STBI_FREE(data) std::free(data)
#define STBI_ONLY_PNG
#define STBI_ONLY_JPEG
#define STBI_NO_STDIO
#define STBI_FAILURE_USERMSG
#define STB_IMAGE_STATIC  // no symbol of ours may meet that of a host which uses stb too
#define STB_IMAGE_IMPLEMENTATION
#include <stb_image.h>
#define STBI_WRITE_NO_STDIO
#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#include <stb_image_write.h>

namespace fovea::io {
namespace {

using Bytes = std::span<const std::byte>;

// Enough to decode this picture (8 bytes a pixel and channel hold its widest intermediate form: the coefficients of a
// progressive JPEG, a PNG's rows before and after filtering) and to hold its file.
std::size_t allocation_limit_for(std::int64_t width, std::int64_t height, std::size_t file_bytes) {
  const std::int64_t edges = (width + height) * 256;  // a JPEG's blocks of up to 32x32 reach over right and lower edge
  return static_cast<std::size_t>(width * height * 4 * 8 + edges) + 2 * file_bytes + (1u << 20);
}

const stbi_uc* data_of(Bytes file) {
  return reinterpret_cast<const stbi_uc*>(file.data());
}

bool begins_with(Bytes file, std::initializer_list<stbi_uc> signature) {
  return file.size() >= signature.size() && std::equal(signature.begin(), signature.end(), data_of(file));
}

// Width and height stand at bytes 16 and 20 of every PNG, most significant byte first.
std::int64_t png_extent(Bytes file, std::size_t at) {
  std::int64_t extent = 0;
  for (std::size_t i = at; i < at + 4 && i < file.size(); ++i) extent = extent * 256 + std::to_integer<int>(file[i]);
  return std::min(extent, std::int64_t{1} << 31);  // the format's own bound; keeps the product within 64 bits
}

// What is known of a picture before decoding it.
struct Header {
  MappedFile file;
  bool sixteen_bits = false;
  int orientation = 1;  // of PictureScan
};

Error picture_error(const std::filesystem::path& path, const std::string& what) {
  return {ErrorCode::io, path.string() + ": " + what};
}

Result<Header> read_header(const std::filesystem::path& path, const PictureOptions& options) {
  if (options.channels < 0 || options.channels > 4) {
    return Error{ErrorCode::invalid_argument,
                 "read_picture: channels is " + std::to_string(options.channels) + ", not 0 to 4"};
  }
  Result<MappedFile> file = MappedFile::open(path);
  if (!file) return file.error();
  const Bytes bytes = file->bytes();
  if (bytes.empty()) return picture_error(path, "is empty");
  const bool is_jpeg = begins_with(bytes, {0xff, 0xd8});
  if (!is_jpeg && !begins_with(bytes, {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'})) {
    return picture_error(path, "is neither a PNG nor a JPEG picture");
  }
  if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    return Error{ErrorCode::out_of_memory, path.string() + ": a picture file of " + std::to_string(bytes.size()) +
                                               " bytes is over the limit of 2 GiB"};
  }
  const int size = static_cast<int>(bytes.size());

  allocation_limit = 1u << 20;
  int width = 0, height = 0, channels = 0;
  const auto check_pixels = [&](std::int64_t columns, std::int64_t rows) -> Result<void> {
    if (columns * rows <= options.max_pixels) return {};
    return Error{ErrorCode::out_of_memory, path.string() + ": " + std::to_string(columns) + "x" + std::to_string(rows) +
                                               " pixels are more than the limit of " +
                                               std::to_string(options.max_pixels)};
  };
  if (!is_jpeg) {  // stb refuses the largest without saying why
    if (Result<void> fits = check_pixels(png_extent(bytes, 16), png_extent(bytes, 20)); !fits) return fits.error();
  }
  const PictureScan scan = is_jpeg ? scan_jpeg(bytes) : scan_png(bytes);
  if (scan.damage != nullptr) return picture_error(path, scan.damage);
  if (!stbi_info_from_memory(data_of(bytes), size, &width, &height, &channels)) {
    return picture_error(path, "its header is truncated or damaged");
  }
  if (Result<void> fits = check_pixels(width, height); !fits) return fits.error();
  allocation_limit = allocation_limit_for(width, height, bytes.size());
  const bool sixteen_bits = stbi_is_16_bit_from_memory(data_of(bytes), size) != 0;
  return Header{std::move(*file), sixteen_bits, scan.orientation};
}

// Where the pixel shown at (x, y) stands in a stored picture of width x height: its number, row by row. By orientations
// 1 to 4 the first row stored is shown at the top, top, bottom, bottom, the first column at the left, right, right,
// left; by 5 to 8 the row at the left, right, right, left and the column at the top, top, bottom, bottom.
std::int64_t stored_pixel(int orientation, std::int64_t width, std::int64_t height, std::int64_t x, std::int64_t y) {
  const bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_bottom = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  if (orientation >= 5) std::swap(x, y);
  return (from_bottom ? height - 1 - y : y) * width + (from_right ? width - 1 - x : x);
}

// Decodes by `load`, one of stbi_load_from_memory and stbi_load_16_from_memory, and hands each value to `convert`.
template <class T, class Load, class Convert>
Result<Picture<T>> decode(const std::filesystem::path& path, const Header& header, const PictureOptions& options,
                          const Load& load, const Convert& convert) {
  const Bytes bytes = header.file.bytes();
  int width = 0, height = 0, channels = 0;
  auto* values = load(data_of(bytes), static_cast<int>(bytes.size()), &width, &height, &channels, options.channels);
  if (values == nullptr) {
    return picture_error(path, std::string("truncated or damaged: ") + stbi_failure_reason());
  }
  Picture<T> picture{width, height, options.channels != 0 ? options.channels : channels, {}};
  if (header.orientation >= 5) std::swap(picture.width, picture.height);
  picture.values.resize(static_cast<std::size_t>(picture.width * picture.height * picture.channels));
  auto to = picture.values.begin();
  for (std::int64_t y = 0; y < picture.height; ++y)
    for (std::int64_t x = 0; x < picture.width; ++x) {
      const auto* from = values + stored_pixel(header.orientation, width, height, x, y) * picture.channels;
      to = std::transform(from, from + picture.channels, to, convert);
    }
  stbi_image_free(values);
  return picture;
}

template <class T>
Result<void> check_extents(const std::filesystem::path& path, const Picture<T>& picture) {
  const auto refuse = [&](const std::string& what) {
    return Error{ErrorCode::invalid_argument, path.string() + ": not written: " + what};
  };
  const std::string extents = std::to_string(picture.width) + "x" + std::to_string(picture.height) + " with " +
                              std::to_string(picture.channels) + " channels";
  if (picture.width < 1 || picture.height < 1 || picture.channels < 1 || picture.channels > 4) {
    return refuse("a picture of " + extents);
  }
  // stb counts the bytes of all rows in an int; the bound on each factor keeps the product below from overflowing.
  constexpr std::int64_t most = std::numeric_limits<int>::max() / 2;
  if (picture.width > most || picture.height > most || (picture.width * picture.channels + 1) > most / picture.height) {
    return refuse("a picture of " + extents + " is too large for the PNG writer");
  }
  const std::int64_t count = picture.width * picture.height * picture.channels;
  if (picture.values.size() != static_cast<std::size_t>(count)) {
    return refuse(extents + " are " + std::to_string(count) + " values, not " + std::to_string(picture.values.size()));
  }
  return {};
}

}  // namespace

Result<Picture<std::uint8_t>> read_picture_u8(const std::filesystem::path& path, const PictureOptions& options) {
  Result<Header> header = read_header(path, options);
  if (!header) return header.error();
  return decode<std::uint8_t>(path, *header, options, stbi_load_from_memory, [](stbi_uc value) { return value; });
}

Result<Picture<float>> read_picture(const std::filesystem::path& path, const PictureOptions& options) {
  Result<Header> header = read_header(path, options);
  if (!header) return header.error();
  if (header->sixteen_bits) {
    return decode<float>(path, *header, options, stbi_load_16_from_memory,
                         [](stbi_us value) { return static_cast<float>(value) / 65535.0f; });
  }
  return decode<float>(path, *header, options, stbi_load_from_memory,
                       [](stbi_uc value) { return static_cast<float>(value) / 255.0f; });
}

Result<void> write_png(const std::filesystem::path& path, const Picture<std::uint8_t>& picture) {
  if (Result<void> sound = check_extents(path, picture); !sound) return sound;
  std::vector<std::byte> file;
  const auto append = [](void* to, void* data, int size) {
    const auto* bytes = static_cast<const std::byte*>(data);
    auto& out = *static_cast<std::vector<std::byte>*>(to);
    out.insert(out.end(), bytes, bytes + size);
  };
  if (!stbi_write_png_to_func(append, &file, static_cast<int>(picture.width), static_cast<int>(picture.height),
                              picture.channels, picture.values.data(), 0)) {
    return Error{ErrorCode::out_of_memory, path.string() + ": no memory to encode the picture"};
  }
  const std::array pieces{Bytes(file)};
  return write_file(path, pieces);
}

Result<void> write_png(const std::filesystem::path& path, const Picture<float>& picture) {
  if (Result<void> sound = check_extents(path, picture); !sound) return sound;
  Picture<std::uint8_t> rounded{picture.width, picture.height, picture.channels, {}};
  rounded.values.reserve(picture.values.size());
  for (const float value : picture.values) {
    const float clamped = value > 0 ? std::min(value, 1.0f) : 0.0f;  // NaN is not > 0
    rounded.values.push_back(static_cast<std::uint8_t>(std::lround(clamped * 255.0f)));
  }
  return write_png(path, rounded);
}

}  // namespace fovea::io
