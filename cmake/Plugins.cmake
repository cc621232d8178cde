# kshot_plugins(NAME DIR): every *.cpp of a folder as a library of plugins, for the executables declared after it.
function(kshot_plugins name dir)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${dir}/*.cpp)
  if(NOT sources)
    message(FATAL_ERROR "${dir} holds no .cpp file: no plugin to compile in")
  endif()
  kshot_library(${name} SOURCES ${sources})
  target_include_directories(${name} PRIVATE ${dir})
  set_target_properties(${name} PROPERTIES UNITY_BUILD OFF) # their authors need not know of each other's names
endfunction()

# -DKSHOT_PLUGINS=DIR: a folder outside this tree becomes part of the program and of the tests.
if(KSHOT_PLUGINS)
  kshot_plugins(kshot_outside_plugins ${KSHOT_PLUGINS})
endif()
