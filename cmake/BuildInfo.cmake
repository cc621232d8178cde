# kshot_build_info: <build_info_data.h> says which sources, commit and compiler the program is made of. It is looked
# at in every build and written only where something changed, so that a commit recompiles one file.
set(KSHOT_GENERATED_DIR ${CMAKE_BINARY_DIR}/generated)
find_package(Git QUIET)
add_custom_target(kshot_build_info
  COMMAND ${CMAKE_COMMAND}
    -DSOURCE_DIR=${CMAKE_SOURCE_DIR}
    -DPLUGINS_DIR=${KSHOT_PLUGINS}
    -DOUTPUT=${KSHOT_GENERATED_DIR}/build_info_data.h
    "-DCOMPILER=${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}"
    -DBUILD_TYPE=${CMAKE_BUILD_TYPE}
    -DVERSION=${PROJECT_VERSION}
    -DGIT=${GIT_EXECUTABLE}
    -P ${CMAKE_SOURCE_DIR}/cmake/build_info.cmake
  BYPRODUCTS ${KSHOT_GENERATED_DIR}/build_info_data.h
  COMMENT "Checking the source id"
  VERBATIM)
