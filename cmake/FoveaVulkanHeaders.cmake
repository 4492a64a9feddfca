# Vulkan::Headers: from a package, or from wherever vulkan/vulkan_core.h is.
if(NOT TARGET Vulkan::Headers)
  find_package(VulkanHeaders CONFIG QUIET)
endif()
if(NOT TARGET Vulkan::Headers)
  find_path(FOVEA_VULKAN_INCLUDE vulkan/vulkan_core.h REQUIRED DOC "Folder of the Vulkan headers (Debian: libvulkan-dev)")
  add_library(Vulkan::Headers INTERFACE IMPORTED GLOBAL)
  target_include_directories(Vulkan::Headers INTERFACE ${FOVEA_VULKAN_INCLUDE})
endif()
