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
  for (std::size_t length = 0; length < file.size(); ++length) {
    write_bytes(folder / "p.png", file.substr(0, length));
    const auto read = io::read_picture_u8(folder / "p.png");
    REQUIRE_FALSE(static_cast<bool>(read));
    CHECK(read.error().code == ErrorCode::io);
  }
  write_bytes(folder / "p.png", file.substr(0, file.size() / 2));
  check_error(io::read_picture(folder / "p.png"), ErrorCode::io, {"p.png", "truncated"});
}

TEST_CASE("no change of one byte of a picture does harm, and none of a PNG goes unnoticed") {
  const Folder folder;
  REQUIRE(io::write_png(folder / "p.png", noise(9, 7, 4)));
  for (const std::string& sound : {read_bytes(folder / "p.png"), jpeg_of(noise(9, 7, 3))}) {
    for (std::size_t i = 0; i < sound.size(); ++i) {
      std::string changed = sound;
      constexpr int flips[] = {0x01, 0x80, 0xff};
      changed[i] = static_cast<char>(changed[i] ^ flips[i % 3]);
      write_bytes(folder / "q", changed);
      const bool read = static_cast<bool>(io::read_picture_u8(folder / "q", {.max_pixels = 1 << 16}));
      if (sound[0] != '\xff') CHECK_MESSAGE(!read, "byte ", i);  // a PNG has checksums
    }
  }
}

namespace {

// An Exif orientation in either byte order, behind another entry as cameras write it.
std::string exif_of(int orientation, bool little) {
  using namespace std::string_literals;
  const std::string o(1, static_cast<char>(orientation));
  if (little)
    return "II*\0\x08\0\0\0\x02\0"s + "\x0f\x01\x02\0\x04\0\0\0Cam\0"s + "\x12\x01\x03\0\x01\0\0\0"s + o +
           "\0\0\0\0\0\0\0"s;
  return "MM\0*\0\0\0\x08\0\x02"s +
         "\x01\x0f\0\x02\0\0\0\x04"
         "Cam\0"s +
         "\x01\x12\0\x03\0\0\0\x01\0"s + o + "\0\0\0\0\0\0"s;
}

// JPEG with an Exif segment behind its first marker.
std::string with_exif(std::string jpeg, const std::string& exif) {
  const auto length = static_cast<char>(exif.size() + 8);
  using namespace std::string_literals;
  return jpeg.insert(2, "\xff\xe1\0"s + length + "Exif\0\0"s + exif);
}

}  // namespace

TEST_CASE("a JPEG whose scan uses a code table that it does not define is damaged") {
  const Folder folder;
  std::string file = jpeg_of(noise(9, 7, 3));
  const std::size_t scan = file.find("\xff\xda");
  REQUIRE(scan != std::string::npos);
  for (const char tables : {'\x02', '\x20', '\x33'}) {  // of its first component: the marker, the length, how many, which
    file[scan + 6] = tables;
    write_bytes(folder / "p.jpg", file);
    check_error(io::read_picture(folder / "p.jpg"), ErrorCode::io, {"p.jpg: damaged"});
  }
}

TEST_CASE("a JPEG is turned as its Exif orientation says") {
  // Four flat blocks of 8x8 pixels, which pass through a JPEG nearly unchanged: 20 at the upper left, then by rows.
  const Folder folder;
  io::Picture<std::uint8_t> stored{24, 16, 1, {}};
  for (int y = 0; y < 16; ++y)
    for (int x = 0; x < 24; ++x) stored.values.push_back(static_cast<std::uint8_t>(20 + 40 * (x / 8 + y / 8 * 3)));
  // What a viewer shows of 20 60 100 / 140 180 220, by the definition: for 6 the first row stored is at the right, and
  // the first column at the top.
  const std::vector<int> shown[] = {{20, 60, 100, 140, 180, 220}, {100, 60, 20, 220, 180, 140},
                                    {220, 180, 140, 100, 60, 20}, {140, 180, 220, 20, 60, 100},
                                    {20, 140, 60, 180, 100, 220}, {140, 20, 180, 60, 220, 100},
                                    {220, 100, 180, 60, 140, 20}, {100, 220, 60, 180, 20, 140}};
  for (int orientation = 0; orientation <= 9; ++orientation)  // 0 and 9 mean nothing
    for (const bool little : {false, true}) {
      CAPTURE(orientation);
      CAPTURE(little);
      write_bytes(folder / "p.jpg", with_exif(jpeg_of(stored), exif_of(orientation, little)));
      const auto read = io::read_picture_u8(folder / "p.jpg", {.channels = 1});
      REQUIRE(read);
      const bool lying = orientation >= 5 && orientation <= 8;
      REQUIRE(read->width == (lying ? 16 : 24));
      REQUIRE(read->height == (lying ? 24 : 16));
      const auto& expected = shown[orientation >= 1 && orientation <= 8 ? orientation - 1 : 0];
      for (std::int64_t i = 0; i < read->width * read->height; ++i) {
        const std::int64_t block = i / read->width / 8 * (read->width / 8) + i % read->width / 8;
        CHECK(std::abs(int{read->values[static_cast<std::size_t>(i)]} - expected[static_cast<std::size_t>(block)]) <=
              2);
      }
    }
}

TEST_CASE("an Exif segment that breaks off or points nowhere turns nothing and does no harm") {
  const Folder folder;
  const std::string jpeg = jpeg_of({16, 8, 1, std::vector<std::uint8_t>(128, 90)}), exif = exif_of(6, true);
  for (std::size_t length = 0; length < exif.size(); ++length) {
    write_bytes(folder / "p.jpg", with_exif(jpeg, exif.substr(0, length)));
    const auto read = io::read_picture_u8(folder / "p.jpg");
    REQUIRE(read);
    CHECK(read->width == (length < 32 ? 16 : 8));  // 32 bytes hold the value
  }
  std::string nowhere = exif;
  nowhere.replace(4, 4, "\xff\xff\xff\xff");
  write_bytes(folder / "p.jpg", with_exif(jpeg, nowhere));
  const auto read = io::read_picture_u8(folder / "p.jpg");
  REQUIRE(read);
  CHECK(read->width == 16);
}

TEST_CASE("a PNG is turned by its eXIf chunk, and one whose checksum is wrong there is read as stored") {
  const Folder folder;
  // The 2x1 picture of 0x0001 and 0x8000, with an orientation of 3 (upside down) behind its header.
  using namespace std::string_literals;
  std::string file = text_of(sixteen_bits);
  file.insert(33,
              "\0\0\0\x26"
              "eXIf"s +
                  exif_of(3, false) + "\x07\xac\x7e\x34"s);
  write_bytes(folder / "p.png", file);
  const auto turned = io::read_picture_u8(folder / "p.png");
  REQUIRE(turned);
  CHECK(turned->values == std::vector<std::uint8_t>{128, 0});
  file[33 + 8 + 31] ^= 1;
  write_bytes(folder / "p.png", file);
  const auto stored = io::read_picture_u8(folder / "p.png");
  REQUIRE(stored);
  CHECK(stored->values == std::vector<std::uint8_t>{0, 128});
}

TEST_CASE("too large a picture is refused before memory is taken for it") {
  const Folder folder;
  write_bytes(folder / "huge.png", text_of(huge_header));
  check_error(io::read_picture(folder / "huge.png"), ErrorCode::out_of_memory,
              {"huge.png", "60000x60000", "limit of 8388608"});
  check_error(io::read_picture(folder / "huge.png", {.max_pixels = std::int64_t{1} << 40}), ErrorCode::io,
              {"huge.png", "truncated"});
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
