#include "io/picture_file.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace fovea::io {
namespace {

using Bytes = std::span<const std::byte>;

constexpr const char* truncated = "truncated: the picture's end is missing";

enum class Order { big, little };

// The unsigned number in `size` bytes at `at`; 0 where the bytes do not reach.
std::size_t number(Bytes bytes, std::size_t at, std::size_t size, Order order = Order::big) {
  if (at > bytes.size() || size > bytes.size() - at) return 0;
  std::size_t value = 0;
  for (std::size_t i = 0; i < size; ++i) {
    value = value * 256 + std::to_integer<std::size_t>(bytes[at + (order == Order::big ? i : size - 1 - i)]);
  }
  return value;
}

bool begins_with(Bytes bytes, std::string_view text) {
  return bytes.size() >= text.size() && std::ranges::equal(bytes.first(text.size()), std::as_bytes(std::span(text)));
}

// The orientation in a TIFF header and its first directory, which is what Exif is: 12 bytes an entry, of tag, type,
// count and value. 1 where there is none that makes sense. (Exif 3.0, 4.6)
int orientation_of(Bytes tiff) {
  if (!begins_with(tiff, "MM") && !begins_with(tiff, "II")) return 1;
  const Order order = begins_with(tiff, "MM") ? Order::big : Order::little;
  const std::size_t directory = number(tiff, 4, 4, order), entries = number(tiff, directory, 2, order);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + 12 * i;
    if (number(tiff, entry, 2, order) != 0x0112) continue;
    constexpr std::size_t short_type = 3;
    const std::size_t value = number(tiff, entry + 8, 2, order);
    return number(tiff, entry + 2, 2, order) == short_type && value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

// The code tables of a JPEG, by their four bits of class (0 or 16) and four of number.
class CodeTables {
 public:
  // Takes those of a DHT segment. False where one has more than 256 codes.
  bool define(Bytes segment) {
    while (!segment.empty()) {
      if (segment.size() < 17) return false;
      std::size_t codes = 0;
      for (const std::byte count : segment.subspan(1, 16)) codes += std::to_integer<std::size_t>(count);
      if (codes > 256 || segment.size() < 17 + codes) return false;
      defined_[number(segment, 0, 1) % defined_.size()] = true;
      segment = segment.subspan(17 + codes);
    }
    return true;
  }
  // Whether a scan (an SOS segment: components, a table of each class for each, first and last coefficient, bit
  // positions) uses what is defined. A progressive scan has one class, and refines the first coefficient without codes.
  bool has_those_of(Bytes segment, bool progressive) const {
    const std::size_t components = number(segment, 0, 1), end = 1 + 2 * components;
    const std::size_t first = number(segment, end, 1), refined_bit = number(segment, end + 2, 1) >> 4;
    const bool uses_first_class = !progressive || (first == 0 && refined_bit == 0), uses_second = !progressive || first != 0;
    for (std::size_t i = 0; i < components; ++i) {
      const std::size_t tables = number(segment, 2 + 2 * i, 1);
      if (uses_first_class && !defined_[tables >> 4]) return false;
      if (uses_second && !defined_[16 + (tables & 15)]) return false;
    }
    return true;
  }

 private:
  std::array<bool, 32> defined_{};
};

}  // namespace

std::uint32_t crc32(Bytes bytes) {
  static const auto table = [] {
    std::array<std::uint32_t, 256> values{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0xedb88320u : 0u);
      values[i] = value;
    }
    return values;
  }();
  std::uint32_t sum = 0xffffffffu;
  for (const std::byte byte : bytes) sum = (sum >> 8) ^ table[(sum ^ std::to_integer<std::uint32_t>(byte)) & 0xff];
  return ~sum;
}

PictureScan scan_jpeg(Bytes file) {
  constexpr const char* damaged = "damaged: not the segments of a JPEG";
  int orientation = 1;
  bool in_scan = false, progressive = false;
  CodeTables tables;
  for (std::size_t at = 2; at + 1 < file.size();) {
    const std::size_t marker = number(file, at, 1) == 0xff ? number(file, at + 1, 1) : 0;
    if (marker == 0 || marker == 0xff) {  // compressed data; between segments only 0xff may fill
      if (!in_scan && marker == 0) return {damaged};
      ++at;
    } else if (marker == 0xd9) {
      return {nullptr, orientation};
    } else if (marker >= 0xd0 && marker <= 0xd8) {  // restarts have no length
      at += 2;
    } else {
      if (at + 4 > file.size()) return {truncated};
      const std::size_t length = number(file, at + 2, 2);
      if (length < 2) return {damaged};
      if (at + 2 + length > file.size()) return {truncated};  // a thumbnail's end is inside a segment
      const Bytes segment = file.subspan(at + 4, length - 2);
      progressive = progressive || marker == 0xc2;
      if (marker == 0xc4 && !tables.define(segment)) return {damaged};
      if (marker == 0xda && !tables.has_those_of(segment, progressive)) return {damaged};
      constexpr std::string_view exif("Exif\0\0", 6);
      if (marker == 0xe1 && begins_with(segment, exif)) orientation = orientation_of(segment.subspan(exif.size()));
      in_scan = marker == 0xda;
      at += 2 + length;
    }
  }
  return {truncated};
}

PictureScan scan_png(Bytes file) {
  int orientation = 1;
  for (std::size_t at = 8; at + 12 <= file.size();) {  // a chunk: length, type, data, checksum
    const std::size_t length = number(file, at, 4);
    if (length > file.size() - at - 12) return {truncated};
    const Bytes chunk = file.subspan(at + 4, 4 + length);
    const bool sound = crc32(chunk) == number(file, at + 8 + length, 4);
    // Without a chunk whose type begins with a small letter the picture is the same, but for its transparent color.
    const bool shapes_pixels = (number(chunk, 0, 1) & 0x20) == 0 || begins_with(chunk, "tRNS");
    if (!sound && shapes_pixels) return {"damaged: a chunk's checksum is wrong"};
    if (sound && begins_with(chunk, "eXIf")) orientation = orientation_of(chunk.subspan(4));
    if (begins_with(chunk, "IEND")) return {nullptr, orientation};
    at += 12 + length;
  }
  return {truncated};
}

}  // namespace fovea::io
