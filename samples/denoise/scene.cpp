#include "denoise/scene.hpp"

#include "common/compute_pass.hpp"

#include <glm/glm.hpp>

#include <cmath>
#include <cstring>

namespace {
#include "scene.comp.h"
}

namespace denoise {

fovea::Result<Image> render_scene(fovea::Context& context, std::int64_t width, std::int64_t height) {
  struct {
    glm::vec4 eye, right, up, forward;
    std::uint32_t width, height;
  } camera{};
  const glm::vec3 eye(0.35f, 1.55f, -3.9f), target(0.0f, 0.72f, 0.3f);
  const glm::vec3 forward = glm::normalize(target - eye), right = glm::normalize(glm::cross(glm::vec3(0, 1, 0), forward));
  const float half_height = std::tan(glm::radians(21.0f));
  const float half_width = half_height * static_cast<float>(width) / static_cast<float>(height);
  camera.eye = glm::vec4(eye, 0);
  camera.right = glm::vec4(right * half_width, 0);
  camera.up = glm::vec4(glm::cross(forward, right) * half_height, 0);
  camera.forward = glm::vec4(forward, 0);
  camera.width = static_cast<std::uint32_t>(width);
  camera.height = static_cast<std::uint32_t>(height);

  Image image(width, height);
  auto buffer = context.make_buffer(image.values.size() * sizeof(float), true, "scene");
  if (!buffer) return buffer.error();
  const std::byte* bytes = reinterpret_cast<const std::byte*>(&camera);
  const auto done = samples::run_compute_pass(context, spirv_scene, *buffer, {bytes, 4 * sizeof(glm::vec4) + 8},
                                              {(camera.width + 7) / 8, (camera.height + 7) / 8, 1});
  if (!done) return done.error();
  std::memcpy(image.values.data(), buffer->data(), image.values.size() * sizeof(float));
  return image;
}

}  // namespace denoise
