#pragma once
// Turns a Program into Vulkan objects once, and records it into command buffers.

#include "compile/program.hpp"
#include "run/bind.hpp"
#include "run/profile.hpp"
#include "vk/pipeline.hpp"
#include "vk/pipeline_statistics.hpp"
#include "vk/transfer.hpp"
#include <fovea/context.hpp>

#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace fovea::run {

// The descriptor sets of one use of a Program. Must not outlive its Executor, nor be freed under pending work.
struct BoundSets {
  vk::DescriptorPool pool;
  std::vector<VkDescriptorSet> sets;  // one a dispatch; null for one of no groups
  std::vector<std::vector<VkDeviceAddress>> addresses;  // one a dispatch: of Dispatch::addresses
};

// Immutable after creation but for the profile; bind() and record() may run on several threads.
class Executor {
 public:
  // Makes pipelines, arena and constants. Errors: internal where the Program contradicts itself, a shader or the
  // device; out_of_memory.
  static Result<std::unique_ptr<Executor>> create(const vk::Device& device, vk::PipelineStore& pipelines,
                                                  compile::Program program, const CompileOptions& options);
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  const compile::Program& program() const { return program_; }
  const vk::Device& device() const { return device_; }

  // `externals` as match() returns them. One descriptor pool, and one allocation of all sets from it.
  Result<BoundSets> bind(std::span<const NamedRange> externals) const;

  // Appends barrier, dispatches and barriers; touches the command buffer alone. What ran before on the queue in
  // compute and transfer stages is finished first, so uses of one arena may follow each other.
  void record(VkCommandBuffer commands, const BoundSets& sets) const;
  // One dispatch of a run, all of which are recorded so into command buffers that are submitted in order.
  void record_step(VkCommandBuffer commands, const BoundSets& sets, std::size_t dispatch) const;

  const Profile& profile() const { return profile_; }
  // Of a dispatch's machine code, where the device was made to tell; has_work() must hold.
  std::int64_t matrix_instructions(std::size_t dispatch) const {
    return vk::count_matrix_instructions(device_, pipelines_[dispatch].handle);
  }
  vk::PipelineStatistics statistics(std::size_t dispatch) const {
    return vk::read_statistics(device_, pipelines_[dispatch].handle);
  }

 private:
  Executor(const vk::Device& device, compile::Program program) : device_(device), program_(std::move(program)) {}
  Result<void> make_buffers();
  Result<void> make_pipelines(vk::PipelineStore& pipelines, bool poison_shared);
  Result<BoundSets> allocate_sets() const;
  VkDescriptorBufferInfo locate(const compile::BufferRange& range, std::span<const NamedRange> externals) const;
  VkDeviceAddress address_of(const VkDescriptorBufferInfo& place) const;
  void record_entry(VkCommandBuffer commands) const;
  void record_dispatch(VkCommandBuffer commands, std::size_t index, const BoundSets& sets) const;

  const vk::Device& device_;
  compile::Program program_;
  bool poison_arena_ = false;
  vk::Buffer arena_, constants_;         // empty where the Program has none
  std::vector<vk::Pipeline> pipelines_;  // one a dispatch; null for one of no groups
  Profile profile_;
};

// False for a dispatch without work, which is not recorded (Vulkan allows it; some drivers do not).
inline bool has_work(const compile::Dispatch& dispatch) {
  return dispatch.groups[0] != 0 && dispatch.groups[1] != 0 && dispatch.groups[2] != 0;
}

// What every Program must hold for this device. Error: internal, naming the dispatch.
Result<void> check(const compile::Program& program, const DeviceCaps& caps);

}  // namespace fovea::run
