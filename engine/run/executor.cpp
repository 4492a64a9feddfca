#include "run/executor.hpp"

#include <algorithm>

namespace fovea::run {
namespace {

constexpr std::uint32_t quiet_nan = 0x7fc00000;

constexpr VkAccessFlags shader_access = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT;
constexpr vk::BarrierSide compute{VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, shader_access};
constexpr vk::BarrierSide compute_writes{VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT};
constexpr vk::BarrierSide fill{VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_WRITE_BIT};
constexpr vk::BarrierSide compute_or_copy_writes{VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT,
                                                 VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT};

std::vector<vk::BindingUse> uses_of(const compile::Dispatch& dispatch) {
  std::vector<vk::BindingUse> uses;
  for (const compile::Binding& binding : dispatch.bindings)
    uses.push_back(binding.write  ? vk::BindingUse::write
                   : binding.read ? vk::BindingUse::read
                                  : vk::BindingUse::unused);
  return uses;
}

}  // namespace

Result<std::unique_ptr<Executor>> Executor::create(const vk::Device& device, vk::PipelineStore& pipelines,
                                                   compile::Program program, const CompileOptions& options) {
  if (Result<void> checked = check(program, device.caps); !checked) return checked.error();
  std::unique_ptr<Executor> executor(new Executor(device, std::move(program)));
  executor->poison_arena_ = options.poison_arena;
  if (Result<void> made = executor->make_pipelines(pipelines, options.poison_shared); !made) return made.error();
  if (Result<void> made = executor->make_buffers(); !made) return made.error();
  if (!options.timestamps) return executor;
  Result<Profile> profile = Profile::create(device, executor->program_.dispatches.size());
  if (!profile) return profile.error();
  executor->profile_ = std::move(*profile);
  return executor;
}

Result<void> Executor::make_pipelines(vk::PipelineStore& pipelines, bool poison_shared) {
  for (const compile::Dispatch& dispatch : program_.dispatches) {
    pipelines_.emplace_back();
    if (!has_work(dispatch)) continue;
    const std::vector<vk::BindingUse> uses = uses_of(dispatch);
    const Result<vk::Pipeline> pipeline =
        pipelines.get({dispatch.shader, dispatch.constants, uses, static_cast<std::uint32_t>(dispatch.push_bytes()), dispatch.keeps,
                       dispatch.addresses, poison_shared});
    if (!pipeline) return Error{pipeline.error().code, cat(dispatch.label, ": ", pipeline.error().message)};
    pipelines_.back() = *pipeline;
  }
  return {};
}

Result<void> Executor::make_buffers() {
  if (program_.arena_bytes > 0) {
    Result<vk::Buffer> arena = vk::Buffer::create(device_, program_.arena_bytes, vk::MemoryKind::device, "fovea arena");
    if (!arena) return arena.error();
    arena_ = std::move(*arena);
  }
  if (program_.constants.empty()) return {};
  // A host that gave no queue cannot be asked to copy: its shaders then read constants from the host's memory.
  const vk::MemoryKind kind = device_.queue ? vk::MemoryKind::nearest : vk::MemoryKind::host;
  Result<vk::Buffer> constants = vk::Buffer::create(device_, program_.constants.size(), kind, "fovea constants");
  if (!constants) return constants.error();
  constants_ = std::move(*constants);
  return vk::upload_first(device_, constants_, program_.constants);
}

VkDescriptorBufferInfo Executor::locate(const compile::BufferRange& range,
                                        std::span<const NamedRange> externals) const {
  switch (range.kind) {
    case compile::BufferKind::arena:
      return {arena_.get(), range.offset, range.size};
    case compile::BufferKind::constant:
      return {constants_.get(), range.offset, range.size};
    case compile::BufferKind::external:
      break;
  }
  const NamedRange& external = externals[range.index];
  const bool last = range.offset + range.size == program_.externals[range.index].bytes;
  const std::uint64_t size = std::min(range.size + (last ? external.margin : 0), device_.caps.max_storage_range);
  return {external.buffer, external.offset + range.offset, size};
}

VkDeviceAddress Executor::address_of(const VkDescriptorBufferInfo& place) const {
  VkBufferDeviceAddressInfo info{};
  info.sType = VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO;
  info.buffer = place.buffer;
  return device_.fn.GetBufferDeviceAddress(device_.handle, &info) + place.offset;
}

Result<BoundSets> Executor::allocate_sets() const {
  BoundSets bound;
  bound.sets.resize(program_.dispatches.size());
  std::vector<VkDescriptorSetLayout> layouts;
  std::uint32_t buffers = 0;
  for (std::size_t d = 0; d < program_.dispatches.size(); ++d) {
    if (!has_work(program_.dispatches[d])) continue;
    layouts.push_back(pipelines_[d].set_layout);
    buffers += static_cast<std::uint32_t>(program_.dispatches[d].bindings.size());
  }
  if (layouts.empty()) return bound;
  const auto count = static_cast<std::uint32_t>(layouts.size());
  const VkDescriptorPoolSize size{VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, std::max(buffers, 1u)};
  VkDescriptorPoolCreateInfo pool_info{};
  pool_info.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO;
  pool_info.maxSets = count;
  pool_info.poolSizeCount = 1;
  pool_info.pPoolSizes = &size;
  Result<vk::DescriptorPool> pool =
      vk::make<vk::DescriptorPool>(device_, &vk::DeviceTable::CreateDescriptorPool, pool_info, "fovea bindings");
  if (!pool) return pool.error();
  bound.pool = std::move(*pool);

  VkDescriptorSetAllocateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO;
  info.descriptorPool = bound.pool.get();
  info.descriptorSetCount = count;
  info.pSetLayouts = layouts.data();
  std::vector<VkDescriptorSet> sets(count);
  if (VkResult result = device_.fn.AllocateDescriptorSets(device_.handle, &info, sets.data()); result != VK_SUCCESS)
    return device_.error(result, "vkAllocateDescriptorSets, ", count, " sets");
  std::size_t next = 0;
  for (std::size_t d = 0; d < program_.dispatches.size(); ++d) {
    if (!has_work(program_.dispatches[d])) continue;
    bound.sets[d] = sets[next++];
    device_.name(VK_OBJECT_TYPE_DESCRIPTOR_SET, bound.sets[d], program_.dispatches[d].label);
  }
  return bound;
}

Result<BoundSets> Executor::bind(std::span<const NamedRange> externals) const {
  Result<BoundSets> bound = allocate_sets();
  if (!bound) return bound;
  bound->addresses.resize(program_.dispatches.size());
  std::vector<VkDescriptorBufferInfo> infos;
  for (std::size_t d = 0; d < program_.dispatches.size(); ++d) {
    infos.clear();
    for (const compile::Binding& binding : program_.dispatches[d].bindings)
      infos.push_back(locate(binding.range, externals));
    if (infos.empty() || !bound->sets[d]) continue;
    for (std::uint32_t binding : program_.dispatches[d].addresses) bound->addresses[d].push_back(address_of(infos[binding]));
    VkWriteDescriptorSet write{};
    write.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET;
    write.dstSet = bound->sets[d];
    write.descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
    write.descriptorCount = static_cast<std::uint32_t>(infos.size());  // consecutive bindings from 0
    write.pBufferInfo = infos.data();
    device_.fn.UpdateDescriptorSets(device_.handle, 1, &write, 0, nullptr);
  }
  return bound;
}

void Executor::record(VkCommandBuffer commands, const BoundSets& sets) const {
  record_entry(commands);
  profile_.begin(commands);
  // A barrier belongs to everything before it: it stays due when the dispatch that asked for it is left out.
  bool barrier_due = false;
  for (std::size_t i = 0; i < program_.dispatches.size(); ++i) {
    barrier_due = barrier_due || program_.dispatches[i].barrier_before;
    if (has_work(program_.dispatches[i])) {
      if (barrier_due) vk::barrier(device_, commands, compute_writes, compute);
      barrier_due = false;
      record_dispatch(commands, i, sets);
    }
    profile_.end(commands, i);
  }
}

void Executor::record_step(VkCommandBuffer commands, const BoundSets& sets, std::size_t dispatch) const {
  if (dispatch == 0) {
    record_entry(commands);
    profile_.begin(commands);
  } else {
    vk::barrier(device_, commands, compute_writes, compute);
  }
  if (has_work(program_.dispatches[dispatch])) record_dispatch(commands, dispatch, sets);
  profile_.end(commands, dispatch);
}

void Executor::record_entry(VkCommandBuffer commands) const {
  if (!poison_arena_ || !arena_) {
    vk::barrier(device_, commands, compute_or_copy_writes, compute);
    return;
  }
  constexpr vk::BarrierSide compute_or_fill{compute.stages | fill.stages, compute.access | fill.access};
  vk::barrier(device_, commands, compute_or_copy_writes, compute_or_fill);
  device_.fn.CmdFillBuffer(commands, arena_.get(), 0, VK_WHOLE_SIZE, quiet_nan);
  vk::barrier(device_, commands, fill, compute);
}

void Executor::record_dispatch(VkCommandBuffer commands, std::size_t index, const BoundSets& sets) const {
  const vk::DeviceTable& fn = device_.fn;
  const compile::Dispatch& dispatch = program_.dispatches[index];
  const vk::Pipeline& pipeline = pipelines_[index];
  if (device_.caps.debug_utils) {
    VkDebugUtilsLabelEXT label{};
    label.sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_LABEL_EXT;
    label.pLabelName = dispatch.label.c_str();
    fn.CmdBeginDebugUtilsLabelEXT(commands, &label);
  }
  fn.CmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline.handle);
  fn.CmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline.layout, 0, 1, &sets.sets[index], 0, nullptr);
  if (!dispatch.push.empty())
    fn.CmdPushConstants(commands, pipeline.layout, VK_SHADER_STAGE_COMPUTE_BIT, 0,
                        static_cast<std::uint32_t>(dispatch.push.size()), dispatch.push.data());
  if (const auto& addresses = sets.addresses[index]; !addresses.empty())
    fn.CmdPushConstants(commands, pipeline.layout, VK_SHADER_STAGE_COMPUTE_BIT, static_cast<std::uint32_t>(dispatch.push.size()),
                        static_cast<std::uint32_t>(8 * addresses.size()), addresses.data());
  fn.CmdDispatch(commands, dispatch.groups[0], dispatch.groups[1], dispatch.groups[2]);
  if (device_.caps.debug_utils) fn.CmdEndDebugUtilsLabelEXT(commands);
}

}  // namespace fovea::run
