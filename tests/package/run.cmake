# Installs this build into a fresh prefix (or uses the sources), builds the user's project against it, and runs it.
# cmake -DFROM=prefix|subdirectory -DSOURCE=… -DBUILD=… -DWORK=… -DCXX=… [-DLAUNCHER=…] -DTYPE=RelWithDebInfo -DFLAGS=…
#   -DWERROR=… -P run.cmake
function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE code)
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "failed: ${ARGN}")
  endif()
endfunction()

set(ENV{CCACHE_NOHASHDIR} 1)
file(REMOVE_RECURSE ${WORK})
set(from -DFOVEA_FROM=${FROM})
if(FROM STREQUAL "prefix")
  run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/prefix)
  list(APPEND from -DCMAKE_PREFIX_PATH=${WORK}/prefix)
  run(${WORK}/prefix/bin/fovea-conformance --list --case op_softmax/*)
else()
  list(APPEND from -DFOVEA_SOURCE=${SOURCE})
endif()
run(${CMAKE_COMMAND} -S ${SOURCE}/tests/package -B ${WORK}/build -G Ninja -DCMAKE_CXX_COMPILER=${CXX}
  -DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER} -DCMAKE_BUILD_TYPE=${TYPE} -DCMAKE_CXX_FLAGS_RELWITHDEBINFO=${FLAGS}
  -DFOVEA_WERROR=${WERROR} ${from})
run(${CMAKE_COMMAND} --build ${WORK}/build)
run(${WORK}/build/user)
