#include "vk/loader.hpp"

#include "base/text.hpp"

#include <utility>

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace fovea::vk {
namespace {

#if defined(_WIN32)
constexpr const char* library_names[] = {"vulkan-1.dll"};
void* open_library(const char* name) {
  return reinterpret_cast<void*>(LoadLibraryA(name));
}
void close_library(void* library) {
  FreeLibrary(reinterpret_cast<HMODULE>(library));
}
PFN_vkGetInstanceProcAddr find_entry(void* library) {
  return reinterpret_cast<PFN_vkGetInstanceProcAddr>(
      reinterpret_cast<void*>(GetProcAddress(reinterpret_cast<HMODULE>(library), "vkGetInstanceProcAddr")));
}
#else
#if defined(__APPLE__)
constexpr const char* library_names[] = {"libvulkan.1.dylib", "libMoltenVK.dylib"};
#else
constexpr const char* library_names[] = {"libvulkan.so.1", "libvulkan.so"};
#endif
void* open_library(const char* name) {
  return dlopen(name, RTLD_NOW | RTLD_LOCAL);
}
void close_library(void* library) {
  dlclose(library);
}
PFN_vkGetInstanceProcAddr find_entry(void* library) {
  return reinterpret_cast<PFN_vkGetInstanceProcAddr>(dlsym(library, "vkGetInstanceProcAddr"));
}
#endif

}  // namespace

Result<Loader> Loader::open() {
  for (const char* name : library_names) {
    Loader loader;
    loader.library_ = open_library(name);
    if (!loader.library_) continue;
    loader.get_instance_proc_addr_ = find_entry(loader.library_);
    if (loader.get_instance_proc_addr_) return loader;
  }
  return Error{ErrorCode::device, cat("no Vulkan loader: ", library_names[0], " is not installed or not a loader")};
}

Loader::~Loader() {
  if (library_) close_library(library_);
}

Loader::Loader(Loader&& other) noexcept
    : library_(std::exchange(other.library_, nullptr)),
      get_instance_proc_addr_(std::exchange(other.get_instance_proc_addr_, nullptr)) {}

Loader& Loader::operator=(Loader&& other) noexcept {
  std::swap(library_, other.library_);
  std::swap(get_instance_proc_addr_, other.get_instance_proc_addr_);
  return *this;
}

}  // namespace fovea::vk
