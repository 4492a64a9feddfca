#include "tests/support/trap.hpp"

#include "vk/dispatch.hpp"

#include <type_traits>

namespace fovea::test {

namespace {

Trap the_trap;
PFN_vkGetInstanceProcAddr real_instance_proc = nullptr;
PFN_vkGetDeviceProcAddr real_device_proc = nullptr;

// A wait that is made to fail has waited all the same: the test may then destroy what was in use.
bool is_wait(std::string_view name) {
  return name.find("Wait") != std::string_view::npos;
}

// What nobody minds failing.
constexpr bool is_debug_name(std::string_view name) {
  return name == "vkSetDebugUtilsObjectNameEXT";
}

template <class Tag, class Function>
struct Entry;

template <class Tag, class R, class... Arguments>
struct Entry<Tag, R(VKAPI_PTR*)(Arguments...)> {
  static VKAPI_ATTR R VKAPI_CALL call(Arguments... arguments) {
    the_trap.calls.push_back(Tag::name);
    if constexpr (std::is_same_v<R, VkResult> && !is_debug_name(Tag::name)) {
      if (the_trap.failable++ == the_trap.fail_at) {
        the_trap.failed = Tag::name;
        if (is_wait(Tag::name)) (void)Tag::real(arguments...);
        return the_trap.error;
      }
    }
    return Tag::real(arguments...);
  }
};

#define FOVEA_TAG(function)                                  \
  struct function##Tag {                                     \
    static constexpr std::string_view name = "vk" #function; \
    static inline PFN_vk##function real = nullptr;           \
  };
FOVEA_VK_DEVICE(FOVEA_TAG)
FOVEA_VK_DEVICE_OPTIONAL(FOVEA_TAG)
#undef FOVEA_TAG

VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL device_proc(VkDevice device, const char* name) {
  const PFN_vkVoidFunction real = real_device_proc(device, name);
  if (!real) return nullptr;
#define FOVEA_TRAP(function)                                                                    \
  if (function##Tag::name == name) {                                                            \
    function##Tag::real = reinterpret_cast<PFN_vk##function>(real);                             \
    return reinterpret_cast<PFN_vkVoidFunction>(&Entry<function##Tag, PFN_vk##function>::call); \
  }
  FOVEA_VK_DEVICE(FOVEA_TRAP)
  FOVEA_VK_DEVICE_OPTIONAL(FOVEA_TRAP)
#undef FOVEA_TRAP
  return real;
}

VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL instance_proc(VkInstance instance, const char* name) {
  const PFN_vkVoidFunction real = real_instance_proc(instance, name);
  if (std::string_view(name) != "vkGetDeviceProcAddr") return real;
  real_device_proc = reinterpret_cast<PFN_vkGetDeviceProcAddr>(real);
  return reinterpret_cast<PFN_vkVoidFunction>(&device_proc);
}

}  // namespace

PFN_vkGetInstanceProcAddr set_trap(PFN_vkGetInstanceProcAddr real) {
  the_trap = {};
  real_instance_proc = real;
  return &instance_proc;
}

Trap& trap() {
  return the_trap;
}

}  // namespace fovea::test
