// The C++ of docs/embedding.md as one function: it compiles without warnings. (host_frame.cpp is what runs.)
#include <fovea/fovea.hpp>
#include <fovea/vulkan.hpp>

#include <string>
#include <vector>

// What the document takes for granted.
struct Game {
  VkInstanceCreateInfo instance_info{};
  VkDeviceCreateInfo device_info{};
  VkInstance instance = VK_NULL_HANDLE;
  VkPhysicalDevice gpu = VK_NULL_HANDLE;
  VkDevice device = VK_NULL_HANDLE;
  VkQueue queue = VK_NULL_HANDLE;
  std::uint32_t family = 0;
  VkPhysicalDeviceFeatures2 my_features2{};
  std::vector<const char*> my_instance_extensions, my_extensions;
  fovea::LogFunction my_log;
  std::vector<std::byte> blob_from_last_run;
  VkBuffer q_buffer = VK_NULL_HANDLE, k_buffer = VK_NULL_HANDLE, v_buffer = VK_NULL_HANDLE, y_buffer = VK_NULL_HANDLE;
  VkCommandBuffer command_buffer = VK_NULL_HANDLE;

  int fail(const std::string& why);
  void save(const std::vector<std::byte>& blob);
  int embed();
};

int Game::embed() {
#include "embedding.inc"
  return 0;
}
