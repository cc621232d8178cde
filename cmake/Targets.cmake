# Everything is an OBJECT library that the executables link directly: plugins register themselves in static
# constructors, which the linker drops from a STATIC library, and so it does behind one.

# The program's one precompiled header is built with kshot_base; the tests have their own, with doctest. In angle
# brackets, because CMake then writes no absolute path into what it generates, and ccache can serve one checkout with
# another's.
function(kshot_precompile target)
  if(target STREQUAL kshot_base)
    target_precompile_headers(${target} PRIVATE <framework/base/pch.h>)
  elseif(target STREQUAL kshot_tests)
    target_precompile_headers(${target} PRIVATE <tests/pch.h>)
  else()
    target_precompile_headers(${target} REUSE_FROM kshot_base)
  endif()
endfunction()

# With the precompiled header GCC still instantiates, in each compilation, every template that LibTorch's inline functions
# use: three seconds before the first line of ours. So several sources are compiled as one. Names in unnamed namespaces
# are therefore unique within a library. -DCMAKE_UNITY_BUILD=OFF compiles one by one: a change costs less then.
set(CMAKE_UNITY_BUILD ON CACHE BOOL "Compile several sources as one")
set(KSHOT_UNITY_BATCH 8 CACHE STRING "How many")
mark_as_advanced(KSHOT_UNITY_BATCH)
set(CMAKE_UNITY_BUILD_BATCH_SIZE ${KSHOT_UNITY_BATCH})

# kshot_library(NAME SOURCES file... [LIBRARIES target...]): one floor of the house.
function(kshot_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LIBRARIES")
  add_library(${name} OBJECT ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC kshot_options ${arg_LIBRARIES})
  kshot_precompile(${name})
  set_property(GLOBAL APPEND PROPERTY KSHOT_LIBRARIES ${name})
endfunction()

# kshot_executable(NAME SOURCES file... [LIBRARIES target...]): links every floor declared so far.
function(kshot_executable name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LIBRARIES")
  get_property(floors GLOBAL PROPERTY KSHOT_LIBRARIES)
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE kshot_options ${floors} ${arg_LIBRARIES})
  kshot_precompile(${name})
  if(KSHOT_JEMALLOC)
    # jemalloc reads its settings from the program's own `malloc_conf` (framework/base/allocator.cpp), which it
    # sees only where the program exports that symbol.
    target_link_libraries(${name} PRIVATE PkgConfig::jemalloc)
    target_link_options(${name} PRIVATE LINKER:--export-dynamic-symbol=malloc_conf)
  endif()
  install(TARGETS ${name} DESTINATION bin) # for scripts/bundle
endfunction()
