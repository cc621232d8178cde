# -DKSHOT_PLUGINS=DIR: every *.cpp of a folder outside this tree becomes part of the program and of the tests.
if(KSHOT_PLUGINS)
  file(GLOB_RECURSE plugin_sources CONFIGURE_DEPENDS ${KSHOT_PLUGINS}/*.cpp)
  if(NOT plugin_sources)
    message(FATAL_ERROR "KSHOT_PLUGINS=${KSHOT_PLUGINS} holds no .cpp file")
  endif()
  kshot_library(kshot_plugins SOURCES ${plugin_sources})
  target_include_directories(kshot_plugins PRIVATE ${KSHOT_PLUGINS})
endif()
