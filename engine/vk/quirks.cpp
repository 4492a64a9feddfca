#include "vk/quirks.hpp"

#include <vulkan/vulkan_core.h>

#include <string_view>

namespace fovea::vk {
namespace {

constexpr Quirk table[] = {
    {"lavapipe 22.3.x", "a shader loop ends silently after 65,535 iterations",
     "measured on Debian 12's 22.3.6, 2026-11",
     [](const DeviceCaps& caps) {
       return caps.driver_id == VK_DRIVER_ID_MESA_LLVMPIPE && caps.driver_info.starts_with("Mesa 22.3.");
     },
     [](DeviceCaps& caps) { caps.max_loop_iterations = 65535; }},
};

}  // namespace

std::span<const Quirk> quirks() {
  return table;
}

void apply_quirks(DeviceCaps& caps) {
  for (const Quirk& quirk : quirks())
    if (quirk.matches(caps)) quirk.apply(caps);
}

}  // namespace fovea::vk
