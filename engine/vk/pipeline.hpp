#pragma once
// Compute pipelines, made once a shader and set of constants, and kept as long as the store.

#include "base/shader_table.hpp"
#include "base/shader_workgroup.hpp"
#include "vk/cache_blob.hpp"
#include "vk/handle.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

namespace fovea::vk {

// What a dispatch does with a binding. unused: bound, because Vulkan wants it, but the constants turn it off.
enum class BindingUse : std::uint8_t { unused, read, write };

struct PipelineRequest {
  const ShaderInfo* shader = nullptr;        // outlives the store, unless `keeps` is given
  std::span<const std::uint32_t> constants;  // value of constant_id i
  std::span<const BindingUse> bindings;      // of descriptor set 0, by binding number
  std::uint32_t push_bytes = 0;              // with the addresses
  std::shared_ptr<const void> keeps{};       // what the shader lives in: the store holds it
  std::span<const std::uint32_t> addresses{};  // bindings whose device addresses end the push constants, 8 bytes each
  bool poison_shared = false;                  // base/poison_shared.hpp
};

// Compares what a dispatch gives with what the shader declares and the device takes.
// Error: internal, naming the shader and the first difference.
Result<void> check(const PipelineRequest& request, const ShaderReflection& shader, const DeviceCaps& caps);
// The same of what its workgroup takes, from the specialised module.
Result<void> check_workgroup(const PipelineRequest& request, const Workgroup& workgroup, const DeviceCaps& caps);

// Handles that the store owns.
struct Pipeline {
  VkPipeline handle = VK_NULL_HANDLE;
  VkPipelineLayout layout = VK_NULL_HANDLE;
  VkDescriptorSetLayout set_layout = VK_NULL_HANDLE;  // `bindings` storage buffers, compute stage
};

// Thread-safe.
class PipelineStore {
 public:
  // A blob that save() made on this driver speeds up get(); any other is ignored, with a warning in the log.
  static Result<std::unique_ptr<PipelineStore>> create(const Device& device, std::span<const std::byte> blob);

  Result<Pipeline> get(const PipelineRequest& request);
  // Every pipeline made so far, for create(). Empty when the driver gives none.
  std::vector<std::byte> save() const;

 private:
  struct Layout {
    DescriptorSetLayout set;
    PipelineLayout layout;
  };
  using LayoutKey = std::pair<std::size_t, std::uint32_t>;  // bindings, push bytes
  struct Key {
    const std::uint32_t* code;
    LayoutKey layout;
    std::vector<std::uint32_t> constants;
    bool poison_shared;
    auto operator<=>(const Key&) const = default;
  };

  explicit PipelineStore(const Device& device) : device_(device) {}
  Result<const Layout*> layout(LayoutKey key);
  Result<RawPipeline> build(const PipelineRequest& request, const Layout& layout) const;

  const Device& device_;
  PipelineCache cache_;
  std::mutex mutex_;  // guards the maps
  std::map<LayoutKey, Layout> layouts_;
  struct Made {
    RawPipeline pipeline;
    std::shared_ptr<const void> keeps;  // while it stands here, no other shader has its address
  };
  std::map<Key, Made> pipelines_;
};

}  // namespace fovea::vk
