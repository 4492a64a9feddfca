#pragma once
// What a device can do, as plain data: everything that compile and ops may know of it. Tests fill one in by hand.

#include <fovea/context.hpp>  // DeviceType

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace fovea {

// Matrices that a subgroup multiplies: [M,K] times [K,N], both f16, summed in f32.
struct MatrixShape {
  std::uint32_t M = 0, N = 0, K = 0;
  bool operator==(const MatrixShape&) const = default;
};

struct DeviceCaps {
  std::string device_name = "generic Vulkan 1.1 device";
  std::string driver_name;
  std::string driver_info;
  std::array<std::uint8_t, 16> device_uuid{}, driver_uuid{};
  std::uint32_t vendor_id = 0, device_id = 0, driver_id = 0, driver_version = 0, api_version = 0;
  DeviceType type = DeviceType::other;

  // Limits. The defaults are the least that Vulkan 1.1 guarantees: the floor that every portable kernel accepts.
  std::uint32_t max_invocations = 128;
  std::array<std::uint32_t, 3> max_group_size{128, 128, 64};
  std::array<std::uint32_t, 3> max_group_count{65535, 65535, 65535};
  std::uint32_t max_shared_bytes = 16384;
  std::uint32_t max_push_bytes = 128;
  std::uint32_t max_storage_buffers = 8;  // a stage; the specification says 4, the smallest real driver (v3dv) has 8
  std::uint64_t max_storage_range = 1ull << 27;
  std::uint64_t storage_alignment = 256;
  std::uint64_t max_allocation = 1ull << 30;
  double timestamp_period_ns = 0;  // 0: the queue has no timestamps

  // Features, true only where they are *enabled* on the device, not merely present.
  bool storage16 = false;         // 16-bit values in storage buffers
  bool storage8 = false;          // 8-bit values in storage buffers
  bool float16 = false;           // 16-bit float arithmetic
  bool int64 = false;
  bool buffer_address = false;    // and every buffer that may be bound has a device address
  bool timeline_semaphore = false;
  bool subgroup_size_control = false;  // a pipeline may require a size of subgroups, and full ones
  bool cooperative_matrix = false;
  std::vector<MatrixShape> matrix_shapes;  // as the driver lists them; empty without cooperative_matrix
  // A matrix of sums is reduced along its rows, passed through functions element by element, and converted into an operand.
  bool cooperative_matrix2 = false;
  bool memory_budget = false;
  bool debug_utils = false;

  // Subgroup operations in compute; size 0: none. Where min and max differ, subgroup_size_control is there, and every shader with
  // such operations runs in subgroups of subgroup_size.
  std::uint32_t subgroup_size = 0, min_subgroup_size = 0, max_subgroup_size = 0;
  std::uint32_t subgroup_operations = 0;  // VkSubgroupFeatureFlags

  // Quirks (engine/vk/quirks.cpp says which driver, why, and the source).
  // The most that the sum of (iterations + 1) over all loops of a shader, nested ones each time, may reach before the
  // driver cuts them short; 0: no limit.
  std::uint32_t max_loop_iterations = 0;
  // Compiling takes seconds for a thousand unrolled multiply-adds: keep bodies short.
  bool costly_unrolling = false;
  // A storage-buffer load costs as much as dozens of multiply-adds, even from an address that all invocations share:
  // load less, keep more in registers.
  bool costly_loads = false;
  // A lane has 64 to 128 registers of 32 bits: hold fewer rows.
  bool few_registers = false;
  // A shuffle by a literal lane costs as much as dozens of multiply-adds, and a broadcast one.
  bool costly_shuffles = false;
  // A load of 16 bytes by a device address that all invocations share costs half of what it costs from a binding, and a store by
  // an address a fifth.
  bool fast_addresses = false;
};

}  // namespace fovea
