// What the sample reads and where it may write: no device is needed.

#include "denoise/files.hpp"

#include "tests/io/folder.hpp"

#include <algorithm>
#include <array>

using namespace fovea;
using namespace fovea::test;

TEST_CASE("what is transparent is laid over white, what is opaque is kept") {
  const Folder folder;
  const io::Picture<std::uint8_t> rgba{3, 1, 4, {8, 99, 167, 0, 8, 99, 167, 255, 100, 0, 200, 51}};
  REQUIRE(io::write_png(folder / "a.png", rgba));
  const auto loaded = denoise::load(folder / "a.png");
  REQUIRE(loaded);
  CHECK(loaded->laid_over_white);
  const double expected[3][3] = {{255, 8, 224}, {255, 99, 204}, {255, 167, 244}};  // of channel and pixel; 51/255 = 1/5
  for (int c = 0; c < 3; ++c)
    for (int x = 0; x < 3; ++x) CHECK(loaded->image.at(c, 0, x) * 255 == doctest::Approx(expected[c][x]).epsilon(1e-6));

  REQUIRE(io::write_png(folder / "grey.png", io::Picture<std::uint8_t>{2, 1, 2, {50, 255, 70, 255}}));
  const auto grey = denoise::load(folder / "grey.png");
  REQUIRE(grey);
  CHECK_FALSE(grey->laid_over_white);
  for (int c = 0; c < 3; ++c) CHECK(grey->image.at(c, 0, 1) == 70.0f / 255.0f);
}

TEST_CASE("a folder is found writable or not before the work, and nothing is left in it") {
  const Folder folder;
  const std::array names{"a.png", "b.png"};
  const auto check = [&](const std::filesystem::path& where) { return denoise::check_writable(where, names); };
  CHECK(check(folder.path()));
  CHECK(check(folder / "yet/to be/made"));
  CHECK(folder.files() == 0);
  write_bytes(folder / "a.png", "an earlier result");
  CHECK(check(folder.path()));

  check_error(check(""), ErrorCode::io, {"names no folder"});
  check_error(check(folder / "a.png"), ErrorCode::io, {"a.png: is not a folder"});
  check_error(check(folder / "a.png/below"), ErrorCode::io, {"a.png: is not a folder"});
  check_error(check("/proc/self"), ErrorCode::io, {"/proc/self: cannot be written to"});  // for root too
  std::filesystem::create_directory(folder / "b.png");
  check_error(check(folder.path()), ErrorCode::io, {"b.png: is not a regular file"});
}
