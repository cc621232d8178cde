# kshot_options: what every one of our own targets is compiled with. The flags are the same in all of the program,
# because it shares one precompiled header.
add_library(kshot_options INTERFACE)
target_compile_features(kshot_options INTERFACE cxx_std_20)
target_include_directories(kshot_options INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(kshot_options INTERFACE
  # CMake's own default is -O3: slower to compile, no faster to run. Tests call what is compiled so, and are themselves
  # compiled in three quarters of the time.
  $<$<CONFIG:Release>:-O$<IF:$<STREQUAL:$<TARGET_PROPERTY:NAME>,kshot_tests>,1,2>>
  -Wall -Wextra -Wshadow
  $<$<BOOL:${KSHOT_WERROR}>:-Werror>
  -ffile-prefix-map=${CMAKE_SOURCE_DIR}/= # no path of this machine in messages or binaries
  $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>) # lets ccache see through the precompiled header
target_link_libraries(kshot_options INTERFACE
  kshot::torch fmt::fmt nlohmann_json::nlohmann_json Threads::Threads ${CMAKE_DL_LIBS})

if(KSHOT_SANITIZE)
  # vptr is left out: LibTorch hides the type information it needs.
  target_compile_options(kshot_options INTERFACE
    -fsanitize=address,undefined -fno-sanitize=vptr -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  target_link_options(kshot_options INTERFACE -fsanitize=address,undefined)
endif()
