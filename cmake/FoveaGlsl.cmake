# fovea_glsl_headers(TARGET FILE...): compiles shaders of a program's own, of any stage, to headers on its include path:
# triangle.vert becomes "triangle.vert.h" with `const uint32_t spirv_triangle_vert[]`. (The engine's kernels go through
# fovea_embed_shaders instead.)
function(fovea_glsl_headers target)
  set(out ${CMAKE_CURRENT_BINARY_DIR}/${target}-glsl)
  file(MAKE_DIRECTORY ${out})
  set(headers "")
  foreach(shader IN LISTS ARGN)
    get_filename_component(shader ${shader} ABSOLUTE)
    get_filename_component(name ${shader} NAME)
    get_filename_component(folder ${shader} DIRECTORY)
    string(REPLACE "." "_" symbol "spirv_${name}")
    # glslang's output knows no includes of its own.
    file(CONFIGURE OUTPUT ${out}/${name}.h CONTENT "#pragma once\n#include <cstdint>\n#include \"${name}.inc\"\n")
    add_custom_command(OUTPUT ${out}/${name}.inc
      COMMAND ${FOVEA_GLSLANG} --quiet --target-env vulkan1.1 -I${folder} -I${PROJECT_SOURCE_DIR}/shaders --vn ${symbol}
        --depfile ${out}/${name}.d -o ${out}/${name}.inc ${shader}
      DEPENDS ${shader} DEPFILE ${out}/${name}.d VERBATIM
      COMMENT "GLSL ${name}")
    list(APPEND headers ${out}/${name}.inc)
  endforeach()
  add_custom_target(${target}-glsl DEPENDS ${headers})
  add_dependencies(${target} ${target}-glsl)
  target_include_directories(${target} PRIVATE ${out})
endfunction()
