#include "tests/support/trap.hpp"

#include "vk/dispatch.hpp"

#include <cstring>
#include <tuple>
#include <type_traits>

namespace fovea::test {

namespace {

using vk::PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR;  // which older headers do not have

Trap the_trap;
PFN_vkGetInstanceProcAddr real_instance_proc = nullptr;
PFN_vkGetDeviceProcAddr real_device_proc = nullptr;
VkQueue the_queue = VK_NULL_HANDLE;  // that was last used

// What nobody minds failing.
constexpr bool is_debug_name(std::string_view name) {
  return name == "vkSetDebugUtilsObjectNameEXT";
}

constexpr bool fails_when_lost(std::string_view name) {
  return name == "vkQueueSubmit" || name.find("Wait") != std::string_view::npos || name == "vkGetQueryPoolResults";
}

// "Buffer" of "vkCreateBuffer" and "vkDestroyBuffer"; empty where the prefix is another.
constexpr std::string_view kind_behind(std::string_view prefix, std::string_view name) {
  if (!name.starts_with(prefix)) return {};
  name.remove_prefix(prefix.size());
  return name == "ComputePipelines" ? "Pipeline" : name;
}
constexpr std::string_view made_kind(std::string_view name) {
  return name == "vkAllocateMemory" ? "Memory" : kind_behind("vkCreate", name);
}
constexpr std::string_view destroyed_kind(std::string_view name) {
  return name == "vkFreeMemory" ? "Memory" : kind_behind("vkDestroy", name);
}

void note_destroyed(std::string_view call, std::string_view kind, std::uint64_t handle) {
  if (handle != 0 && the_trap.live[kind].erase(handle) == 0) the_trap.misuse.push_back(std::string(call) + " of what is none");
  if (kind != "Device" && kind != "Instance") return;
  for (const auto& [other, handles] : the_trap.live) {
    const bool is_child = other != "Instance" && (kind == "Instance" || other != "DebugUtilsMessengerEXT");
    if (is_child && !handles.empty()) the_trap.misuse.push_back(std::string(call) + " while there is a " + std::string(other));
  }
}

// Whatever a function that fails should have written.
template <class T>
void spoil(T out) {
  if constexpr (std::is_pointer_v<T> && !std::is_const_v<std::remove_pointer_t<T>>)
    if constexpr (std::is_scalar_v<std::remove_pointer_t<T>>)
      if (out) std::memset(static_cast<void*>(out), 0x5a, sizeof(*out));
}

template <class Tag, class Function>
struct Entry;

template <class Tag, class R, class... Arguments>
struct Entry<Tag, R(VKAPI_PTR*)(Arguments...)> {
  static constexpr std::string_view name = Tag::name;

  static VKAPI_ATTR R VKAPI_CALL call(Arguments... arguments) {
    the_trap.calls.push_back(name);
    const auto all = std::tie(arguments...);
    if constexpr (std::is_same_v<std::tuple_element_t<0, std::tuple<Arguments...>>, VkQueue>) the_queue = std::get<0>(all);
    if constexpr (!destroyed_kind(name).empty())
      note_destroyed(name, destroyed_kind(name), (std::uint64_t)std::get<sizeof...(Arguments) - 2>(all));
    if constexpr (std::is_same_v<R, VkResult> && !is_debug_name(name))
      if (const VkResult failure = fail(arguments...); failure != VK_SUCCESS) return failure;
    if constexpr (std::is_same_v<R, VkResult> && !made_kind(name).empty()) {
      const VkResult result = Tag::real(arguments...);
      if (result == VK_SUCCESS) the_trap.live[made_kind(name)].insert((std::uint64_t)*std::get<sizeof...(Arguments) - 1>(all));
      return result;
    } else {
      return Tag::real(arguments...);
    }
  }

  static VkResult fail(Arguments... arguments);
};

#define FOVEA_TAG(function)                                  \
  struct function##Tag {                                     \
    static constexpr std::string_view name = "vk" #function; \
    static inline PFN_vk##function real = nullptr;           \
  };
FOVEA_TAG(EnumerateInstanceVersion)
FOVEA_VK_GLOBAL(FOVEA_TAG)
FOVEA_VK_INSTANCE(FOVEA_TAG)
FOVEA_VK_INSTANCE_OPTIONAL(FOVEA_TAG)
FOVEA_VK_DEVICE(FOVEA_TAG)
FOVEA_VK_DEVICE_OPTIONAL(FOVEA_TAG)
#undef FOVEA_TAG

template <class Tag, class R, class... Arguments>
VkResult Entry<Tag, R(VKAPI_PTR*)(Arguments...)>::fail(Arguments... arguments) {
  if (the_trap.lost && fails_when_lost(name)) return VK_ERROR_DEVICE_LOST;
  if (the_trap.may_fail && !the_trap.may_fail(name)) return VK_SUCCESS;
  the_trap.failable.push_back(name);
  if (the_trap.failable.size() - 1 != the_trap.fail_at) return VK_SUCCESS;
  the_trap.failed = name;
  the_trap.lost = the_trap.error == VK_ERROR_DEVICE_LOST;
  if (the_trap.lost && the_queue) QueueWaitIdleTag::real(the_queue);  // a lost device has nothing pending
  if (!fails_when_lost(name)) (spoil(arguments), ...);
  return the_trap.error;
}

#define FOVEA_TRAP(function)                                                                    \
  if (function##Tag::name == name) {                                                            \
    function##Tag::real = reinterpret_cast<PFN_vk##function>(real);                             \
    return reinterpret_cast<PFN_vkVoidFunction>(&Entry<function##Tag, PFN_vk##function>::call); \
  }

bool is_missing(const char* name) {
  if (the_trap.lookups++ != the_trap.missing_at) return false;
  the_trap.failed = name;
  return true;
}

VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL device_proc(VkDevice device, const char* name) {
  const PFN_vkVoidFunction real = is_missing(name) ? nullptr : real_device_proc(device, name);
  if (!real) return nullptr;
  FOVEA_VK_DEVICE(FOVEA_TRAP)
  FOVEA_VK_DEVICE_OPTIONAL(FOVEA_TRAP)
  return real;
}

VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL instance_proc(VkInstance instance, const char* name) {
  const PFN_vkVoidFunction real = is_missing(name) ? nullptr : real_instance_proc(instance, name);
  if (!real) return nullptr;
  if (std::string_view(name) == "vkGetDeviceProcAddr") {
    real_device_proc = reinterpret_cast<PFN_vkGetDeviceProcAddr>(real);
    return reinterpret_cast<PFN_vkVoidFunction>(&device_proc);
  }
  FOVEA_TRAP(EnumerateInstanceVersion)
  FOVEA_VK_GLOBAL(FOVEA_TRAP)
  FOVEA_VK_INSTANCE(FOVEA_TRAP)
  FOVEA_VK_INSTANCE_OPTIONAL(FOVEA_TRAP)
  return real;
}

}  // namespace

std::string Trap::leaks() const {
  std::string text;
  for (const auto& [kind, handles] : live)
    if (!handles.empty()) text += (text.empty() ? "" : ", ") + std::to_string(handles.size()) + ' ' + std::string(kind);
  return text;
}

PFN_vkGetInstanceProcAddr set_trap(PFN_vkGetInstanceProcAddr real) {
  the_trap = {};
  the_queue = VK_NULL_HANDLE;
  real_instance_proc = real;
  return &instance_proc;
}

Trap& trap() {
  return the_trap;
}

}  // namespace fovea::test
