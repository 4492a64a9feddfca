# Toolchain: arm64 Linux by Debian's cross compiler (g++-aarch64-linux-gnu). Libraries of that machine are those which
# tests/compile_only/arm64.sh extracts; headers and CMake packages of no machine in particular are the host's.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH ${CMAKE_CURRENT_LIST_DIR}/../build/arm64-packages/glslang)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
# glslang's package names a library of SPIRV-Tools without its folder.
set(CMAKE_EXE_LINKER_FLAGS_INIT -L${CMAKE_FIND_ROOT_PATH}/usr/lib/aarch64-linux-gnu)
