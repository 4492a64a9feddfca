#pragma once
#include "denoise/image.hpp"

#include <fovea/context.hpp>
#include <fovea/result.hpp>

namespace denoise {

// The still life of scene.comp, rendered on the Context's device.
fovea::Result<Image> render_scene(fovea::Context& context, std::int64_t width, std::int64_t height);

}  // namespace denoise
