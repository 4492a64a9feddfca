#include "tests/io/folder.hpp"

#include <cmath>
#include <random>

#define STBI_WRITE_NO_STDIO
#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#include <stb_image_write.h>

using namespace fovea;
using namespace fovea::test;

namespace {

io::Picture<std::uint8_t> noise(std::int64_t width, std::int64_t height, int channels) {
  io::Picture<std::uint8_t> picture{width, height, channels, {}};
  std::mt19937 random(7);
  for (std::int64_t i = 0; i < width * height * channels; ++i) {
    picture.values.push_back(static_cast<std::uint8_t>(random()));
  }
  return picture;
}

std::string jpeg_of(const io::Picture<std::uint8_t>& picture) {
  std::string file;
  const auto append = [](void* to, void* data, int size) {
    static_cast<std::string*>(to)->append(static_cast<const char*>(data), static_cast<std::size_t>(size));
  };
  REQUIRE(stbi_write_jpg_to_func(append, &file, static_cast<int>(picture.width), static_cast<int>(picture.height),
                                 picture.channels, picture.values.data(), 95) != 0);
  return file;
}

template <class Bytes>
std::string text_of(const Bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes), sizeof(bytes)};
}

// 2x1 grey of 16 bits: 0x0001, 0x8000.
constexpr unsigned char sixteen_bits[] = {
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52, 0x00, 0x00,
    0x00, 0x02, 0x00, 0x00, 0x00, 0x01, 0x10, 0x00, 0x00, 0x00, 0x00, 0x81, 0xd9, 0xfc, 0x15, 0x00, 0x00, 0x00,
    0x0d, 0x49, 0x44, 0x41, 0x54, 0x78, 0x9c, 0x63, 0x60, 0x60, 0x6c, 0x60, 0x00, 0x00, 0x01, 0x08, 0x00, 0x82,
    0x36, 0x8c, 0x76, 0xa3, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82};
// The header of a 60000x60000 RGBA picture, and nothing else.
constexpr unsigned char huge_header[] = {0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00,
                                         0x0d, 0x49, 0x48, 0x44, 0x52, 0x00, 0x00, 0xea, 0x60, 0x00, 0x00,
                                         0xea, 0x60, 0x08, 0x06, 0x00, 0x00, 0x00, 0x80, 0xd2, 0x75, 0x42};

}  // namespace

TEST_CASE("a PNG is read back as it was written, for 1 to 4 channels and odd sizes") {
  const Folder folder;
  for (int channels = 1; channels <= 4; ++channels) {
    const auto picture = noise(37, 5, channels);
    REQUIRE(io::write_png(folder / "p.png", picture));
    const auto read = io::read_picture_u8(folder / "p.png");
    REQUIRE(read);
    CHECK(read->width == 37);
    CHECK(read->height == 5);
    CHECK(read->channels == channels);
    CHECK(read->values == picture.values);
    const auto rgb = io::read_picture(folder / "p.png", {.channels = 3});
    REQUIRE(rgb);
    CHECK(rgb->channels == 3);
    CHECK(rgb->values.size() == 37 * 5 * 3);
    CHECK(rgb->values[0] == static_cast<float>(picture.values[0]) / 255.0f);
  }
  CHECK(folder.files() == 1);
}

TEST_CASE("floats are clamped, rounded and written; NaN is black") {
  const Folder folder;
  const io::Picture<float> picture{6, 1, 1, {-1, 0.5f, 1, 7, NAN, 0.499f}};
  REQUIRE(io::write_png(folder / "p.png", picture));
  const auto read = io::read_picture_u8(folder / "p.png");
  REQUIRE(read);
  CHECK(read->values == std::vector<std::uint8_t>{0, 128, 255, 255, 0, 127});
}

TEST_CASE("a 16-bit PNG keeps its bits as floats") {
  const Folder folder;
  write_bytes(folder / "p.png", text_of(sixteen_bits));
  const auto read = io::read_picture(folder / "p.png");
  REQUIRE(read);
  CHECK(read->values == std::vector<float>{1.0f / 65535.0f, 32768.0f / 65535.0f});
  const auto bytes = io::read_picture_u8(folder / "p.png");
  REQUIRE(bytes);
  CHECK(bytes->values == std::vector<std::uint8_t>{0, 128});
}

TEST_CASE("a JPEG is read, whatever its name") {
  const Folder folder;
  io::Picture<std::uint8_t> picture{40, 24, 3, std::vector<std::uint8_t>(40 * 24 * 3, 100)};
  write_bytes(folder / "p.dat", jpeg_of(picture));
  const auto read = io::read_picture_u8(folder / "p.dat");
  REQUIRE(read);
  CHECK(read->width == 40);
  CHECK(read->height == 24);
  REQUIRE(read->values.size() == picture.values.size());
  for (const std::uint8_t value : read->values) CHECK(std::abs(int{value} - 100) <= 2);  // a flat block loses little
}

TEST_CASE("a truncated JPEG is an error wherever it breaks off") {
  const Folder folder;
  const std::string file = jpeg_of(noise(17, 9, 3));
  for (std::size_t length = 0; length < file.size(); length += 3) {  // each is a file written and read
    write_bytes(folder / "p.jpg", file.substr(0, length));
    const auto read = io::read_picture_u8(folder / "p.jpg");
    REQUIRE_FALSE(static_cast<bool>(read));
    CHECK(read.error().code == ErrorCode::io);
    CHECK(read.error().message.find("p.jpg: ") != std::string::npos);
  }
  write_bytes(folder / "p.jpg", file.substr(0, file.size() / 2));
  check_error(io::read_picture(folder / "p.jpg"), ErrorCode::io, {"p.jpg", "truncated"});
}

TEST_CASE("a truncated PNG is an error wherever it breaks off") {
  const Folder folder;
  REQUIRE(io::write_png(folder / "p.png", noise(17, 9, 3)));
  const std::string file = read_bytes(folder / "p.png");
  // The last four bytes are the checksum of an empty chunk: without them the picture is whole.
  for (std::size_t length = 0; length + 4 < file.size(); ++length) {
    write_bytes(folder / "p.png", file.substr(0, length));
    const auto read = io::read_picture_u8(folder / "p.png");
    REQUIRE_FALSE(static_cast<bool>(read));
    CHECK(read.error().code == ErrorCode::io);
  }
  write_bytes(folder / "p.png", file.substr(0, file.size() / 2));
  check_error(io::read_picture(folder / "p.png"), ErrorCode::io, {"p.png", "truncated"});
}

TEST_CASE("no change of one byte of a picture does harm") {
  const Folder folder;
  REQUIRE(io::write_png(folder / "p.png", noise(9, 7, 4)));
  for (const std::string& sound : {read_bytes(folder / "p.png"), jpeg_of(noise(9, 7, 3))}) {
    for (std::size_t i = 0; i < sound.size(); ++i) {
      std::string changed = sound;
      constexpr int flips[] = {0x01, 0x80, 0xff};
      changed[i] = static_cast<char>(changed[i] ^ flips[i % 3]);
      write_bytes(folder / "q", changed);
      (void)static_cast<bool>(io::read_picture_u8(folder / "q", {.max_pixels = 1 << 16}));
    }
  }
}

TEST_CASE("too large a picture is refused before memory is taken for it") {
  const Folder folder;
  write_bytes(folder / "huge.png", text_of(huge_header));
  check_error(io::read_picture(folder / "huge.png"), ErrorCode::out_of_memory,
              {"huge.png", "60000x60000", "limit of 8388608"});
  check_error(io::read_picture(folder / "huge.png", {.max_pixels = std::int64_t{1} << 40}), ErrorCode::io,
              {"huge.png", "truncated or damaged"});
  REQUIRE(io::write_png(folder / "p.png", noise(16, 16, 3)));
  CHECK(static_cast<bool>(io::read_picture(folder / "p.png", {.max_pixels = 256})));
  check_error(io::read_picture(folder / "p.png", {.max_pixels = 255}), ErrorCode::out_of_memory, {"16x16"});
}

TEST_CASE("what is no picture is said to be none") {
  const Folder folder;
  write_bytes(folder / "empty.png", "");
  check_error(io::read_picture(folder / "empty.png"), ErrorCode::io, {"empty.png", "is empty"});
  write_bytes(folder / "text.png", "hello, I am a text file of some length");
  check_error(io::read_picture(folder / "text.png"), ErrorCode::io, {"text.png", "neither a PNG nor a JPEG"});
  write_bytes(folder / "p.gif", "GIF89a and so on");
  check_error(io::read_picture(folder / "p.gif"), ErrorCode::io, {"neither a PNG nor a JPEG"});
  check_error(io::read_picture(folder / "none.png"), ErrorCode::io, {"none.png", "cannot be opened"});
}

TEST_CASE("writing refuses a picture whose extents and values do not agree, and leaves no file") {
  const Folder folder;
  const auto refused = [&](const io::Picture<std::uint8_t>& picture, std::initializer_list<std::string> texts) {
    check_error(io::write_png(folder / "p.png", picture), ErrorCode::invalid_argument, texts);
  };
  refused({2, 2, 3, std::vector<std::uint8_t>(11)}, {"2x2 with 3 channels are 12 values, not 11"});
  refused({0, 2, 3, {}}, {"0x2"});
  refused({2, 2, 5, std::vector<std::uint8_t>(20)}, {"5 channels"});
  refused({std::int64_t{1} << 40, std::int64_t{1} << 40, 3, {}}, {"too large"});
  check_error(io::write_png(folder / "none/p.png", noise(2, 2, 1)), ErrorCode::io, {"none/p.png"});
  CHECK(folder.files() == 0);
}
