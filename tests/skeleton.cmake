# cmake -DGLSLANG= -DSOURCE= -DWORK= -P skeleton.cmake: the shader of docs/adding-an-operator.md compiles, each variant of it.
file(READ ${SOURCE}/docs/adding-an-operator.md page)
if(NOT page MATCHES "```glsl\n(.*)\n}\n```")
  message(FATAL_ERROR "docs/adding-an-operator.md has no shader")
endif()
set(shader "${CMAKE_MATCH_1}\n}\n")
if(NOT shader MATCHES "\n#pragma variant DTYPE ([a-z0-9 ]+)\n")  # as cmake/FoveaShaders.cmake reads it: values alone
  message(FATAL_ERROR "the shader has no variants")
endif()
separate_arguments(types UNIX_COMMAND "${CMAKE_MATCH_1}")
file(WRITE ${WORK}/skeleton.comp "${shader}")
foreach(type IN LISTS types)
  execute_process(COMMAND ${GLSLANG} --quiet --target-env vulkan1.1 -I${SOURCE}/shaders -DDTYPE_${type} -o ${WORK}/skeleton.spv
    ${WORK}/skeleton.comp RESULT_VARIABLE code)
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "the variant ${type} does not compile")
  endif()
endforeach()
