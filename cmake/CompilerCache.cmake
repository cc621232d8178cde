# ccache, where it is installed. With a precompiled header it needs `sloppiness` (and -fpch-preprocess, in
# Options.cmake), or it falls back to the compiler each time. CCACHE_BASEDIR lets two checkouts share results, but
# for sources that are compiled several as one: CMake writes their absolute paths.
find_program(KSHOT_CCACHE ccache)
mark_as_advanced(KSHOT_CCACHE)
if(KSHOT_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER
      env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}
      ${KSHOT_CCACHE})
endif()
