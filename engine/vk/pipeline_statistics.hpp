#pragma once
// What a driver tells of the machine code that it made of a pipeline.

#include "vk/device.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace fovea::vk {

// What the driver says of a pipeline's machine code; -1: nothing. Comparable within one driver version only.
struct PipelineStatistics {
  std::int64_t registers = -1;      // that an invocation holds, of 32 bits
  std::int64_t spills = -1;         // of registers to memory: as the driver counts, registers or stores
  std::int64_t scratch_bytes = -1;  // for spills and private arrays: as the driver counts, an invocation's or a subgroup's
  std::int64_t shared_bytes = -1;   // of a workgroup
  std::int64_t occupancy = -1;      // the most subgroups or threads that a core keeps in flight, as the driver counts
  std::int64_t instructions = -1;
  std::int64_t subgroup_size = -1;  // that it runs in, the smallest of its executables'
};

// A driver's own name for a number, and the number.
using NamedStatistic = std::pair<std::string, double>;

// Everything the driver tells. Empty for a null pipeline, or a device without Device::pipeline_statistics.
std::vector<NamedStatistic> read_named_statistics(const Device& device, VkPipeline pipeline);
// Under Fovea's names.
PipelineStatistics to_statistics(std::span<const NamedStatistic> named);
PipelineStatistics read_statistics(const Device& device, VkPipeline pipeline);

// Of a pipeline whose shader multiplies matrices: the instructions in its assembly that matrix units execute; -1: the driver shows no
// assembly.
std::int64_t count_matrix_instructions(const Device& device, VkPipeline pipeline);

}  // namespace fovea::vk
