#pragma once
// Pictures from files and into a folder of results.

#include "denoise/image.hpp"
#include <fovea/result.hpp>

#include <filesystem>
#include <span>

namespace denoise {

// A PNG or JPEG of up to 8 megapixels.
struct Loaded {
  Image image;
  bool laid_over_white = false;  // parts were transparent: their hidden colours are no part of the picture
};
fovea::Result<Loaded> load(const std::filesystem::path& path);

fovea::Result<void> save(const std::filesystem::path& path, const Image& image);

// Whether files of these names can be written into the folder, which may be yet to be made: asked before long work
// whose results go there. Makes nothing that stays. Errors (io): the name of what stands in the way.
fovea::Result<void> check_writable(const std::filesystem::path& folder, std::span<const char* const> names);

}  // namespace denoise
