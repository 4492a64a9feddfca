# The targets of the glslang library, where it is installed, and what they name.
find_package(Threads QUIET)
foreach(package SPIRV-Tools SPIRV-Tools-opt SPIRV-Tools-link glslang)
  find_package(${package} CONFIG QUIET)
endforeach()
