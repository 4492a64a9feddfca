#include "vk/quirks.hpp"

#include <vulkan/vulkan_core.h>

#include <string_view>

namespace fovea::vk {
namespace {

bool is_lavapipe(const DeviceCaps& caps) { return caps.driver_id == VK_DRIVER_ID_MESA_LLVMPIPE; }
bool is_swiftshader(const DeviceCaps& caps) { return caps.driver_id == VK_DRIVER_ID_GOOGLE_SWIFTSHADER; }
bool is_before_mesa_26(const DeviceCaps& caps) {
  const auto is = [&](std::string_view version) { return caps.driver_info.starts_with(version); };
  return is("Mesa 22.") || is("Mesa 23.") || is("Mesa 24.") || is("Mesa 25.");
}

bool can_ask_for(const DeviceCaps& caps, std::uint32_t subgroup_size) {
  return caps.subgroup_size_control && caps.min_subgroup_size <= subgroup_size && subgroup_size <= caps.max_subgroup_size;
}

// lavapipe's limit is one budget for a whole shader, not one a loop (experiments with a=40,000 and b=40,000
// iterations):
//   two loops one after the other         40,000 + 25,534 iterations: they share the budget, across a barrier() too
//   a nest of 1,000 x 1,000               65,405 inner iterations: each loop left costs its iterations + 1 for the test
//                                         that ends it, outer and inner alike (300 x 300: 65,101; 40,000 x 1: 21,845)
//   a nest of 13,000 x 1 x 1              10,923 outer iterations, 6 each: the test that ends the middle loop runs the inner
//                                         one's, too
//   two invocations, each in a branch of  40,000 and 25,534: the budget is the SIMD vector's (8 invocations), and
//   its own                               branches it takes one after the other add up
//   once it is spent                      every further loop runs its body once
// Loops that the compiler unrolls (small constant counts) cost nothing; workgroups each have their own budget.
// So a kernel is right while the sum over all its loops of iterations + 1, along every path its vector takes and once more
// inside every loop that ends, is at most max_loop_iterations (ops::nested_loops).
constexpr Quirk table[] = {
    {"lavapipe 22.3.x", "silently ends shader loops after 65,535 iterations in all",
     "measured on Debian 12's 22.3.6, 2026-11; 25.0.7 and 26.1.6 are right",
     [](const DeviceCaps& caps) { return is_lavapipe(caps) && caps.driver_info.starts_with("Mesa 22.3."); },
     [](DeviceCaps& caps) { caps.max_loop_iterations = 65535; }},
    {"lavapipe 25, SwiftShader", "compile long unrolled bodies 5 to 10 times slower than other versions do",
     "attention_row with 8 keys, 4 rows and head size 64: 7 s on 25.0.7, 1.3 s on 22.3.6, 0.7 s on 26.1.6; SwiftShader 2 s"
     " with half as many; 2026-11",
     [](const DeviceCaps& caps) { return (is_lavapipe(caps) && caps.driver_info.starts_with("Mesa 25.")) || is_swiftshader(caps); },
     [](DeviceCaps& caps) { caps.costly_unrolling = true; }},
    {"lavapipe before 26, SwiftShader", "a 16-byte load from a storage buffer takes 16 to 72 ns per 8 invocations (26: 3 to 7)",
     "measured on 22.3.6, 25.0.7, 26.1.6 and Chromium's SwiftShader of Debian 12, 2026-11",
     [](const DeviceCaps& caps) { return (is_lavapipe(caps) && is_before_mesa_26(caps)) || is_swiftshader(caps); },
     [](DeviceCaps& caps) { caps.costly_loads = true; }},
    {"lavapipe 26 with subgroups of 4 or 16", "a shuffle of a float takes some 20 ns a subgroup, a broadcast 1",
     "attention 1,8,1024,64 by attention_row on 26.1.6, processor time: 314 ms by shuffles and 178 by broadcasts in subgroups of 4, 83 and"
     " 83 of 8, 723 and 49 of 16; on 22.3.6 (8) broadcasts are 7 times slower; 2026-11",
     [](const DeviceCaps& caps) { return is_lavapipe(caps) && !is_before_mesa_26(caps) && caps.subgroup_size != 8; },
     [](DeviceCaps& caps) { caps.costly_shuffles = true; }},
    {"lavapipe 26", "reaches buffers by their addresses faster than by bindings",
     "measured on 26.1.6, ns of one core for 8 invocations: a load of 16 bytes that all share 1.6 against 3.1, a store of 4"
     " bytes 3.4 against 17; on 25.0.7 and 22.3.6 the store is slower, on 22.3.6 the load, too; 2026-11",
     [](const DeviceCaps& caps) { return is_lavapipe(caps) && !is_before_mesa_26(caps); },
     [](DeviceCaps& caps) { caps.fast_addresses = caps.buffer_address; }},
    {"Intel", "a subgroup of 32, the size that drivers tell, shares the registers of a thread: 64 a lane on Xe2, 32 before it",
     "ANV of Mesa 26.1.6 for Battlemage: beside matmul_row, made for CPUs, 16 shaders spill in subgroups of 32, 11 in those of 16; 2026-11",
     [](const DeviceCaps& caps) { return caps.vendor_id == 0x8086 && can_ask_for(caps, 16); },
     [](DeviceCaps& caps) { caps.subgroup_size = 16; }},
    {"Intel, Arm, Broadcom", "a lane has 64 to 128 registers",
     "what Mesa's compilers tell: 128 on Battlemage and 64 before it in subgroups of 16, 64 on Mali-G610; attention_split and attention_tile"
     " spill on the Raspberry Pi 5, too; 2026-11",
     [](const DeviceCaps& caps) { return caps.vendor_id == 0x8086 || caps.vendor_id == 0x13b5 || caps.vendor_id == 0x14e4; },
     [](DeviceCaps& caps) { caps.few_registers = true; }},
    {"Turnip", "a subgroup of 128, the size that it tells, has half the registers a lane of one of 64, which it takes by itself",
     "Mesa 26.1.6 for Adreno 740: attention_split keeps 2 waves a core in flight in subgroups of 128, and 4 to 10 in those of 64; 2026-11",
     [](const DeviceCaps& caps) { return caps.driver_id == VK_DRIVER_ID_MESA_TURNIP && can_ask_for(caps, 64); },
     [](DeviceCaps& caps) { caps.subgroup_size = 64; }},
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
