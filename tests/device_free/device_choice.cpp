#include "vk/physical_device.hpp"
#include "vk/quirks.hpp"

#include <doctest/doctest.h>

using namespace fovea;

namespace {

std::vector<DeviceInfo> some_devices() {
  std::vector<DeviceInfo> devices(3);
  devices[0].name = "Radeon 7900";
  devices[0].driver = "radv Mesa 25.0.7";
  devices[1].name = "llvmpipe (LLVM 15.0.6, 256 bits)";
  devices[1].driver = "llvmpipe Mesa 22.3.6";
  devices[2].name = "SwiftShader Device (Subzero)";
  devices[2].driver = "SwiftShader driver";
  return devices;
}

vk::Candidate candidate(const char* name, DeviceType type) {
  vk::Candidate out;
  out.caps.device_name = name;
  out.caps.type = type;
  return out;
}

}  // namespace

TEST_CASE("a device is chosen by index, by part of its name or its driver's in any case, and else the first") {
  const std::vector<DeviceInfo> devices = some_devices();
  CHECK(vk::choose(devices, "").value() == 0);
  CHECK(vk::choose(devices, "2").value() == 2);
  CHECK(vk::choose(devices, "swiftSHADER").value() == 2);
  CHECK(vk::choose(devices, "mesa 22").value() == 1);
  CHECK(vk::choose(devices, "7900").value() == 0);  // four digits are part of a name
  CHECK_FALSE(vk::choose(devices, "15"));           // two are an index, though "LLVM 15" is there
}

TEST_CASE("an unknown device is refused with a list of those found") {
  const Result<std::size_t> chosen = vk::choose(some_devices(), "geforce");
  REQUIRE_FALSE(chosen);
  CHECK(chosen.error().code == ErrorCode::invalid_argument);
  CHECK(chosen.error().message ==
        "no device 'geforce'; there is [0] Radeon 7900 (radv Mesa 25.0.7), [1] llvmpipe (LLVM 15.0.6, 256 bits) "
        "(llvmpipe "
        "Mesa 22.3.6), [2] SwiftShader Device (Subzero) (SwiftShader driver)");
  CHECK_FALSE(vk::choose({}, ""));
}

TEST_CASE("GPUs rank before CPU drivers, equals keep their order") {
  std::vector<vk::Candidate> candidates{candidate("a", DeviceType::cpu),         candidate("b", DeviceType::other),
                                        candidate("c", DeviceType::virtual_gpu), candidate("d", DeviceType::integrated),
                                        candidate("e", DeviceType::discrete),    candidate("f", DeviceType::discrete)};
  vk::rank(candidates);
  std::string order;
  for (const vk::Candidate& one : candidates) order += one.caps.device_name;
  CHECK(order == "efdcba");
}

TEST_CASE("of two devices of a kind the one with more optional features ranks first") {
  std::vector<vk::Candidate> candidates{candidate("plain", DeviceType::cpu), candidate("rich", DeviceType::cpu)};
  candidates[1].caps.float16 = true;
  vk::rank(candidates);
  CHECK(candidates[0].caps.device_name == "rich");
}

TEST_CASE("lavapipe 22.3 limits loops; a later one and other drivers do not") {
  DeviceCaps caps;
  caps.driver_id = VK_DRIVER_ID_MESA_LLVMPIPE;
  caps.driver_info = "Mesa 22.3.6 (LLVM 15.0.6)";
  vk::apply_quirks(caps);
  CHECK(caps.max_loop_iterations == 65535);
  CHECK(caps.costly_loads);
  caps.max_loop_iterations = 0;
  caps.driver_info = "Mesa 25.0.7-2~bpo12+1 (LLVM 15.0.6)";
  vk::apply_quirks(caps);
  CHECK(caps.max_loop_iterations == 0);
  caps.driver_id = VK_DRIVER_ID_MESA_RADV;
  caps.driver_info = "Mesa 22.3.6";
  vk::apply_quirks(caps);
  CHECK(caps.max_loop_iterations == 0);
}

TEST_CASE("loads are costly on lavapipe before 26 and on SwiftShader") {
  const auto costly = [](VkDriverId driver, const char* info) {
    DeviceCaps caps;
    caps.driver_id = driver;
    caps.driver_info = info;
    vk::apply_quirks(caps);
    return caps.costly_loads;
  };
  CHECK(costly(VK_DRIVER_ID_MESA_LLVMPIPE, "Mesa 25.0.7-2~bpo12+1 (LLVM 15.0.6)"));
  CHECK(costly(VK_DRIVER_ID_GOOGLE_SWIFTSHADER, ""));
  CHECK(!costly(VK_DRIVER_ID_MESA_LLVMPIPE, "Mesa 26.1.6-1 (LLVM 21.1.8)"));
  CHECK(!costly(VK_DRIVER_ID_MESA_RADV, "Mesa 25.0.7"));
}

TEST_CASE("subgroups are of the size that leaves a lane most registers, where it can be asked for") {
  const auto size = [](std::uint32_t vendor, VkDriverId driver, bool control, std::uint32_t least, std::uint32_t told) {
    DeviceCaps caps;
    caps.vendor_id = vendor, caps.driver_id = driver, caps.subgroup_size_control = control;
    caps.min_subgroup_size = least, caps.subgroup_size = caps.max_subgroup_size = told;
    vk::apply_quirks(caps);
    return caps.subgroup_size;
  };
  CHECK(size(0x8086, VK_DRIVER_ID_INTEL_OPEN_SOURCE_MESA, true, 8, 32) == 16);
  CHECK(size(0x8086, VK_DRIVER_ID_INTEL_OPEN_SOURCE_MESA, false, 32, 32) == 32);
  CHECK(size(0x5143, VK_DRIVER_ID_MESA_TURNIP, true, 64, 128) == 64);
  CHECK(size(0x5143, VK_DRIVER_ID_MESA_TURNIP, true, 128, 128) == 128);
  CHECK(size(0x1002, VK_DRIVER_ID_MESA_RADV, true, 32, 64) == 64);
}

TEST_CASE("addresses are fast on lavapipe from 26 on, where they are enabled") {
  const auto fast = [](bool enabled, VkDriverId driver, const char* info) {
    DeviceCaps caps;
    caps.buffer_address = enabled;
    caps.driver_id = driver;
    caps.driver_info = info;
    vk::apply_quirks(caps);
    return caps.fast_addresses;
  };
  CHECK(fast(true, VK_DRIVER_ID_MESA_LLVMPIPE, "Mesa 26.1.6-1 (LLVM 21.1.8)"));
  CHECK(!fast(false, VK_DRIVER_ID_MESA_LLVMPIPE, "Mesa 26.1.6-1 (LLVM 21.1.8)"));
  CHECK(!fast(true, VK_DRIVER_ID_MESA_LLVMPIPE, "Mesa 25.0.7-2~bpo12+1 (LLVM 15.0.6)"));
  CHECK(!fast(true, VK_DRIVER_ID_GOOGLE_SWIFTSHADER, ""));
}
