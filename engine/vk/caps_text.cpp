#include "base/text.hpp"
#include "vk/caps.hpp"
#include "vk/quirks.hpp"

namespace fovea::vk {
namespace {

std::string version_text(std::uint32_t version) {
  return cat(VK_API_VERSION_MAJOR(version), '.', VK_API_VERSION_MINOR(version), '.', VK_API_VERSION_PATCH(version));
}

std::string triple(const std::array<std::uint32_t, 3>& values) {
  return cat(values[0], ", ", values[1], ", ", values[2]);
}

std::string subgroup_text(const DeviceCaps& caps) {
  if (caps.subgroup_size == 0) return "none in compute";
  constexpr std::array names{"basic",     "vote", "arithmetic", "ballot", "shuffle", "relative shuffle",
                             "clustered", "quad"};
  std::string text = cat(caps.subgroup_size, " (", caps.min_subgroup_size, "..", caps.max_subgroup_size, "):");
  for (std::size_t i = 0; i < names.size(); ++i)
    if ((caps.subgroup_operations >> i & 1) != 0) text += cat(' ', names[i]);
  return text;
}

std::string matrices_text(const DeviceCaps& caps) {
  std::string text;
  for (const MatrixShape& shape : caps.matrix_shapes) text += cat(text.empty() ? "" : ", ", shape.M, " x ", shape.N, " x ", shape.K);
  return text.empty() ? "none of f16 into f32" : text;
}

}  // namespace

std::string to_text(const DeviceCaps& caps) {
  std::string out;
  const auto line = [&](std::string_view key, const auto& value) { out += cat(key, ": ", value, '\n'); };
  line("device", caps.device_name);
  line("driver", cat(caps.driver_name, ' ', caps.driver_info));
  line("type", fovea::to_string(caps.type));
  line("vulkan", version_text(caps.api_version));
  line("invocations a group", caps.max_invocations);
  line("group size", triple(caps.max_group_size));
  line("group count", triple(caps.max_group_count));
  line("shared bytes", caps.max_shared_bytes);
  line("push bytes", caps.max_push_bytes);
  line("storage buffers", caps.max_storage_buffers);
  line("storage range", caps.max_storage_range);
  line("storage alignment", caps.storage_alignment);
  line("largest allocation", caps.max_allocation);
  line("timestamp period ns", caps.timestamp_period_ns);
  line("16-bit storage", caps.storage16);
  line("8-bit storage", caps.storage8);
  line("16-bit float arithmetic", caps.float16);
  line("64-bit integers", caps.int64);
  line("buffer addresses", caps.buffer_address);
  line("timeline semaphores", caps.timeline_semaphore);
  line("subgroups", subgroup_text(caps));
  line("subgroup size control", caps.subgroup_size_control);
  line("cooperative matrix", caps.cooperative_matrix ? matrices_text(caps) : "0");
  line("cooperative matrix, reduced", caps.cooperative_matrix2);
  line("memory budget", caps.memory_budget);
  line("debug names", caps.debug_utils);
  for (const Quirk& quirk : quirks())
    if (quirk.matches(caps)) line("quirk", cat(quirk.driver, ": ", quirk.symptom));
  return out;
}

}  // namespace fovea::vk
