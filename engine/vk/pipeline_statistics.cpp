#include "vk/pipeline_statistics.hpp"

#include "vk/enumerate.hpp"

#include <algorithm>
#include <cstdint>
#include <string_view>

namespace fovea::vk {
namespace {

// A driver's name for a statistic, and what it is to Fovea. Where a driver has several for one of ours, the most counts.
struct Name {
  std::string_view driver;
  std::int64_t PipelineStatistics::*ours;
  double scale = 1;
  std::string_view beside = {};  // which tells this driver from others that have the name, for something else
};
constexpr Name names[] = {
    // registers of 32 bits
    {"VGPRs", &PipelineStatistics::registers},                                     // RADV
    {"Number of GPRs", &PipelineStatistics::registers},                            // NVK
    {"Registers used", &PipelineStatistics::registers, 4, "Half-registers used"},  // Turnip: four components each
    {"Half-registers used", &PipelineStatistics::registers, 2},                    // Turnip: of the same file
    {"GPRs", &PipelineStatistics::registers, 0.5},                                 // Honeykrisp: 16 bits each
    {"Registers used", &PipelineStatistics::registers, 1, "Uniforms used"},        // panvk
    {"Temp count", &PipelineStatistics::registers},                                // powervr
    {"Max live registers", &PipelineStatistics::registers, 8},                     // ANV: 32 bytes each, of a subgroup; see to_statistics
    // RADV's "Spilled SGPRs" go to lanes of vector registers, NVK's "Spills to reg" to another register file.
    {"Spilled VGPRs", &PipelineStatistics::spills},
    {"Spills to memory", &PipelineStatistics::spills},
    {"STP Count", &PipelineStatistics::spills},  // Turnip: stores to private memory, of arrays too
    {"Spills", &PipelineStatistics::spills},       // Honeykrisp, panvk; ANV: stores
    {"TMU Spills", &PipelineStatistics::spills},   // v3dv
    {"Spill count", &PipelineStatistics::spills},  // powervr
    {"Spill Size", &PipelineStatistics::scratch_bytes},
    {"Scratch size", &PipelineStatistics::scratch_bytes},
    {"SLM size", &PipelineStatistics::scratch_bytes},
    {"Scratch", &PipelineStatistics::scratch_bytes},
    // ANV's "Scratch Memory Size" is 0 where it spills, too.
    {"LDS size", &PipelineStatistics::shared_bytes},
    {"Workgroup Memory Size", &PipelineStatistics::shared_bytes},
    {"Subgroups per SIMD", &PipelineStatistics::occupancy},
    {"Max warps/SM", &PipelineStatistics::occupancy},
    {"Max Waves Per Core", &PipelineStatistics::occupancy},
    {"Threads", &PipelineStatistics::occupancy},
    {"Thread Count", &PipelineStatistics::occupancy},
    {"Instructions", &PipelineStatistics::instructions},
    {"Instruction count", &PipelineStatistics::instructions},
    {"Instruction Count", &PipelineStatistics::instructions},
    {"Inst group count", &PipelineStatistics::instructions},
};

double value_of(const VkPipelineExecutableStatisticKHR& statistic) {
  switch (statistic.format) {
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_BOOL32_KHR:
      return statistic.value.b32;
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_INT64_KHR:
      return static_cast<double>(statistic.value.i64);
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_UINT64_KHR:
      return static_cast<double>(statistic.value.u64);
    default:
      return statistic.value.f64;
  }
}

// The programs that a driver made of a pipeline; none where it does not tell.
std::vector<VkPipelineExecutablePropertiesKHR> executables_of(const Device& device, VkPipeline pipeline) {
  std::vector<VkPipelineExecutablePropertiesKHR> list;
  if (!device.pipeline_statistics || !pipeline) return list;
  VkPipelineInfoKHR info{};
  info.sType = VK_STRUCTURE_TYPE_PIPELINE_INFO_KHR;
  info.pipeline = pipeline;
  enumerate(list, [&](std::uint32_t* count, VkPipelineExecutablePropertiesKHR* data) {
    for (std::uint32_t i = 0; data && i < *count; ++i) data[i].sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_PROPERTIES_KHR;
    return device.fn.GetPipelineExecutablePropertiesKHR(device.handle, &info, count, data);
  });
  return list;
}

}  // namespace

std::vector<NamedStatistic> read_named_statistics(const Device& device, VkPipeline pipeline) {
  std::vector<NamedStatistic> named;
  const std::size_t executables = executables_of(device, pipeline).size();
  for (std::uint32_t executable = 0; executable < executables; ++executable) {
    VkPipelineExecutableInfoKHR one{};
    one.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR;
    one.pipeline = pipeline;
    one.executableIndex = executable;
    std::uint32_t count = 0;
    device.fn.GetPipelineExecutableStatisticsKHR(device.handle, &one, &count, nullptr);
    std::vector<VkPipelineExecutableStatisticKHR> list(count);
    for (auto& statistic : list) statistic.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR;
    if (device.fn.GetPipelineExecutableStatisticsKHR(device.handle, &one, &count, list.data()) != VK_SUCCESS) return {};
    for (const auto& statistic : list) named.emplace_back(statistic.name, value_of(statistic));
  }
  return named;
}

std::int64_t count_matrix_instructions(const Device& device, VkPipeline pipeline) {
  if (!device.pipeline_statistics || !device.fn.GetPipelineExecutableInternalRepresentationsKHR) return -1;
  VkPipelineExecutableInfoKHR one{};
  one.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR;
  one.pipeline = pipeline;
  const auto ask = [&](std::vector<VkPipelineExecutableInternalRepresentationKHR>& list) {
    auto count = static_cast<std::uint32_t>(list.size());
    const VkResult result = device.fn.GetPipelineExecutableInternalRepresentationsKHR(device.handle, &one, &count, list.empty() ? nullptr : list.data());
    list.resize(count);
    for (auto& text : list) text.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INTERNAL_REPRESENTATION_KHR;
    return result;
  };
  std::vector<VkPipelineExecutableInternalRepresentationKHR> list;
  if (ask(list) != VK_SUCCESS || ask(list) != VK_SUCCESS) return -1;  // how many; how long each is
  std::vector<std::string> texts;
  for (auto& text : list) texts.emplace_back(text.dataSize, '\0');
  for (std::size_t i = 0; i < list.size(); ++i) list[i].pData = texts[i].data();
  if (ask(list) != VK_SUCCESS) return -1;
  std::int64_t most = -1;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (!list[i].isText) continue;
    std::int64_t count = 0;
    for (std::string_view mnemonic : {"v_wmma", "HMMA", "hmma", "dpas"})
      for (std::size_t at = texts[i].find(mnemonic); at != std::string::npos; at = texts[i].find(mnemonic, at + 1)) ++count;
    most = std::max(most, count);
  }
  return most;
}

PipelineStatistics read_statistics(const Device& device, VkPipeline pipeline) {
  PipelineStatistics statistics = to_statistics(read_named_statistics(device, pipeline));
  for (const VkPipelineExecutablePropertiesKHR& one : executables_of(device, pipeline))
    if (one.subgroupSize > 0 && (statistics.subgroup_size < 0 || one.subgroupSize < statistics.subgroup_size))
      statistics.subgroup_size = one.subgroupSize;
  return statistics;
}

PipelineStatistics to_statistics(std::span<const NamedStatistic> named) {
  PipelineStatistics statistics;
  const auto has = [&](std::string_view name) { return std::ranges::any_of(named, [&](const NamedStatistic& one) { return one.first == name; }); };
  std::int64_t lanes = 1;  // that share the registers counted
  for (const auto& [driver, value] : named) {
    if (driver == "Max dispatch width") lanes = std::max(lanes, static_cast<std::int64_t>(value));
    for (const Name& name : names)
      if (name.driver == driver && (name.beside.empty() || has(name.beside)))
        statistics.*name.ours = std::max(statistics.*name.ours, static_cast<std::int64_t>(value * name.scale + 0.5));
  }
  if (statistics.registers > 0) statistics.registers = (statistics.registers + lanes - 1) / lanes;
  return statistics;
}

}  // namespace fovea::vk
