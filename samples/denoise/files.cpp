#include "denoise/files.hpp"

#include <fovea/io.hpp>

#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

namespace denoise {

namespace fs = std::filesystem;

fovea::Result<Loaded> load(const fs::path& path) {
  const auto picture = fovea::io::read_picture(path);
  if (!picture) return picture.error();
  const auto value = [&, channels = picture->channels](std::int64_t pixel, int c) {
    return picture->values[static_cast<std::size_t>(pixel * channels + c)];
  };
  const bool colored = picture->channels >= 3, transparent = picture->channels % 2 == 0;
  Loaded loaded{Image(picture->width, picture->height)};
  Image& image = loaded.image;
  for (std::int64_t y = 0; y < image.height; ++y)
    for (std::int64_t x = 0; x < image.width; ++x) {
      const std::int64_t pixel = y * image.width + x;
      const float alpha = transparent ? value(pixel, picture->channels - 1) : 1.0f;
      loaded.laid_over_white |= alpha < 1;
      for (int c = 0; c < 3; ++c) image.at(c, y, x) = alpha * value(pixel, colored ? c : 0) + (1 - alpha);
    }
  return loaded;
}

fovea::Result<void> save(const fs::path& path, const Image& image) {
  fovea::io::Picture<float> picture{image.width, image.height, 3, {}};
  picture.values.reserve(image.values.size());
  for (std::int64_t y = 0; y < image.height; ++y)
    for (std::int64_t x = 0; x < image.width; ++x)
      for (int c = 0; c < 3; ++c) picture.values.push_back(image.at(c, y, x));
  return fovea::io::write_png(path, picture);
}

fovea::Result<void> check_writable(const fs::path& folder, std::span<const char* const> names) {
  const auto error = [](const fs::path& where, const std::string& what) {
    return fovea::Error{fovea::ErrorCode::io, where.string() + ": " + what};
  };
  if (folder.empty()) return error("''", "names no folder");
  std::error_code code;
  fs::path there = fs::absolute(folder);  // or the nearest above it that is there
  while (fs::symlink_status(there, code).type() == fs::file_type::not_found) there = there.parent_path();
  if (!fs::is_directory(there, code)) return error(there, code ? code.message() : "is not a folder");
  for (const char* name : names) {
    const fs::file_type type = fs::status(folder / name, code).type();
    if (type != fs::file_type::not_found && type != fs::file_type::regular)
      return error(folder / name, type == fs::file_type::none ? code.message()
                                                              : "is not a regular file, and would have to be replaced");
  }
  std::string probe = (there / ".fovea-XXXXXX").string();  // permissions alone do not tell: a file system may refuse
  const int descriptor = ::mkstemp(probe.data());
  if (descriptor < 0) return error(there, "cannot be written to: " + std::generic_category().message(errno));
  ::close(descriptor);
  ::unlink(probe.c_str());
  return {};
}

}  // namespace denoise
