# `cmake --install` and find_package(fovea): fovea::fovea, fovea::io, fovea::linalg and fovea::glsl where they were built; fovea-conformance.
include(CMakePackageConfigHelpers)

set(fovea_targets fovea)
foreach(target fovea_io fovea_linalg fovea_glsl)
  if(TARGET ${target})
    list(APPEND fovea_targets ${target})
  endif()
endforeach()
install(TARGETS ${fovea_targets} EXPORT fovea
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(TARGET fovea-conformance)
  install(TARGETS fovea-conformance RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(DIRECTORY tests/corpus/ DESTINATION ${CMAKE_INSTALL_DATADIR}/fovea/corpus)
endif()
install(DIRECTORY include/fovea DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT fovea NAMESPACE fovea:: FILE fovea-targets.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/fovea)
configure_package_config_file(cmake/fovea-config.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/fovea-config.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/fovea)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/fovea-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES cmake/FoveaVulkanHeaders.cmake cmake/FoveaGlslang.cmake ${CMAKE_CURRENT_BINARY_DIR}/fovea-config.cmake
    ${CMAKE_CURRENT_BINARY_DIR}/fovea-config-version.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/fovea)
