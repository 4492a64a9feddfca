#include "api/internal.hpp"
#include "vk/caps.hpp"
#include <fovea/vulkan.hpp>

namespace fovea {

namespace {

// The first that is null of what every call before adopting needs; null: none.
const char* find_null(PFN_vkGetInstanceProcAddr get_instance_proc_addr, VkInstance instance,
                      VkPhysicalDevice physical_device) {
  if (!get_instance_proc_addr) return "get_instance_proc_addr";
  if (!instance) return "instance";
  return physical_device ? nullptr : "physical_device";
}

}  // namespace

struct FeatureChain::Impl {
  vk::Features available;
  std::unique_ptr<vk::FeatureStructs> structs;
};

FeatureChain::FeatureChain() : impl_(std::make_unique<Impl>()) {}
FeatureChain::~FeatureChain() = default;

const void* FeatureChain::head() const {
  if (!impl_->structs) return nullptr;
  impl_->structs->set(impl_->available);
  return impl_->structs->head();
}

void FeatureChain::merge_into(void* chain) {
  if (impl_->structs) impl_->structs->merge_into(chain, impl_->available);
}

std::vector<const char*> wanted_instance_extensions(PFN_vkGetInstanceProcAddr get_instance_proc_addr) {
  if (!get_instance_proc_addr) return {};
  const Result<vk::GlobalTable> global = vk::load_global(get_instance_proc_addr);
  if (!global) return {};
  Result<std::vector<const char*>> wanted = vk::wanted_instance_extensions(*global);
  return wanted ? std::move(*wanted) : std::vector<const char*>();
}

DeviceRequirements query_requirements(PFN_vkGetInstanceProcAddr get_instance_proc_addr, VkInstance instance,
                                      std::uint32_t api_version, VkPhysicalDevice physical_device,
                                      FeatureChain& features) {
  DeviceRequirements requirements;
  if (const char* null = find_null(get_instance_proc_addr, instance, physical_device)) {
    requirements.unsupported = cat(null, " is null");
    return requirements;
  }
  const Result<std::unique_ptr<vk::Instance>> adopted =
      vk::Instance::adopt(get_instance_proc_addr, instance, api_version, {}, {});
  if (!adopted) {
    requirements.unsupported = adopted.error().message;
    return requirements;
  }
  const std::uint32_t version = vk::usable_version(**adopted, physical_device);
  if (version < VK_API_VERSION_1_1) {
    requirements.unsupported = "Vulkan 1.0 only";
    return requirements;
  }
  const std::optional<std::uint32_t> family = vk::choose_queue_family(**adopted, physical_device);
  if (!family) requirements.unsupported = "no queue family with compute";
  requirements.compute_queue_family = family.value_or(0);
  const Result<std::vector<VkExtensionProperties>> list = vk::device_extensions(**adopted, physical_device);
  if (!list) {
    requirements.unsupported = list.error().message;
    return requirements;
  }
  const vk::Extensions available(*list);
  requirements.extensions = vk::wanted_extensions(version, available);
  features.impl().available = vk::everything_available(**adopted, physical_device, available).features;
  features.impl().structs = std::make_unique<vk::FeatureStructs>(version, available);
  return requirements;
}

Result<Context> adopt(const HostDevice& host, const AdoptOptions& options) {
  const char* null = find_null(host.get_instance_proc_addr, host.instance, host.physical_device);
  if (!null && !host.device) null = "device";
  if (null) return Error{ErrorCode::invalid_argument, cat("adopt: ", null, " is null")};
  Result<std::unique_ptr<vk::Instance>> instance =
      vk::Instance::adopt(host.get_instance_proc_addr, host.instance, host.api_version,
                          vk::Extensions(host.instance_extensions), log_or_stderr(options.log));
  if (!instance) return instance.error();
  vk::Device::Host parts;
  parts.physical_device = host.physical_device;
  parts.device = host.device;
  parts.queue = host.queue;
  parts.queue_family = host.queue_family;
  parts.allocator = host.allocation_callbacks;
  parts.enabled.api_version = vk::usable_version(**instance, host.physical_device);
  const vk::Extensions extensions(host.device_extensions);
  parts.enabled.features =
      vk::keep_enabled(vk::read_features(host.enabled_features), parts.enabled.api_version, extensions);
  parts.enabled.features.buffer_address = parts.enabled.features.buffer_address && host.addressable_buffers;
  parts.enabled.memory_budget = extensions.has(VK_EXT_MEMORY_BUDGET_EXTENSION_NAME);
  Result<std::unique_ptr<vk::Device>> device = vk::Device::adopt(std::move(*instance), parts);
  if (!device) return device.error();
  return make_context(std::move(*device), options.pipeline_cache);
}

VulkanHandles handles(const Context& context) {
  const vk::Device& device = *context.impl()->device;
  return {device.instance().get_instance_proc_addr(),
          device.instance().handle(),
          device.physical_device,
          device.handle,
          device.queue,
          device.queue_family};
}

VkBuffer handle(const Buffer& buffer) {
  return buffer.impl().buffer.get();
}

Result<Bindings> bind(Plan& plan, std::span<const PortVkBuffer> buffers) {
  if (Result<void> checked = check_not_moved("bind", plan); !checked) return checked.error();
  const vk::Device& device = *plan.impl().core->context->device;
  std::vector<run::NamedRange> ranges;
  for (const PortVkBuffer& port : buffers) {
    run::NamedRange& range = ranges.emplace_back(run::NamedRange{port.name, port.buffer, port.offset, port.size});
    if (!port.buffer) continue;
    // Vulkan does not tell a buffer's size. What it needs of memory is at least that.
    VkMemoryRequirements needs;
    device.fn.GetBufferMemoryRequirements(device.handle, port.buffer, &needs);
    range.buffer_size = needs.size;
  }
  return bind_ranges(plan, ranges);
}

Result<void> record(const Plan& plan, VkCommandBuffer commands, const Bindings& bindings) {
  if (Result<void> checked = check_use("record", plan, bindings); !checked) return checked;
  if (!commands) return Error{ErrorCode::invalid_argument, "record: the command buffer is null"};
  plan.impl().core->executor->record(commands, bindings.impl().sets);
  plan.impl().core->host_recorded = true;
  return {};
}

Result<void> submit(Plan& plan, const Bindings& bindings, std::span<const TimelinePoint> wait,
                    std::span<const TimelinePoint> signal) {
  if (Result<void> checked = check_use("submit", plan, bindings); !checked) return checked;
  PlanCore& core = *plan.impl().core;
  if (Result<void> checked = core.context->device->check_queue("submit"); !checked) return checked;
  std::optional<vk::CommandPair>& replay = bindings.impl().replay;
  if (!replay) {
    Result<vk::CommandPair> recorded = run::record_for_replay(*core.executor, bindings.impl().sets);
    if (!recorded) return recorded.error();
    replay.emplace(std::move(*recorded));
  }
  return core.submissions.submit(replay->commands, wait, signal);
}

}  // namespace fovea
