# Run at every build by the target kshot_build_info (BuildInfo.cmake).

# The source id: a sha256 over what decides a run's numbers, by relative path and content.
set(listing "")
function(add_sources root prefix)
  file(GLOB_RECURSE files RELATIVE ${root} ${root}/*.cpp ${root}/*.h)
  list(SORT files)
  foreach(file IN LISTS files)
    file(SHA256 ${root}/${file} hash)
    string(APPEND listing "${hash}  ${prefix}/${file}\n")
  endforeach()
  set(listing "${listing}" PARENT_SCOPE)
endfunction()
foreach(floor algorithms datasets episodes framework)
  add_sources(${SOURCE_DIR}/${floor} ${floor})
endforeach()
if(PLUGINS_DIR)
  add_sources(${PLUGINS_DIR} plugins)
endif()
string(SHA256 source_id "${listing}")

# The commit, where this is a git checkout. Records of runs in results/ do not make the code dirty.
set(commit "")
set(dirty 0)
if(GIT AND EXISTS ${SOURCE_DIR}/.git)
  execute_process(COMMAND ${GIT} -C ${SOURCE_DIR} rev-parse --verify --quiet HEAD
    OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  execute_process(
    COMMAND ${GIT} --no-optional-locks -C ${SOURCE_DIR} status --porcelain --untracked-files=no -- . ":(exclude)results"
    OUTPUT_VARIABLE changes ERROR_QUIET)
  if(NOT changes STREQUAL "")
    set(dirty 1)
  endif()
endif()

set(header "#pragma once
#define KSHOT_SOURCE_ID \"${source_id}\"
#define KSHOT_GIT_COMMIT \"${commit}\"
#define KSHOT_GIT_DIRTY ${dirty}
#define KSHOT_COMPILER \"${COMPILER}\"
#define KSHOT_BUILD_TYPE \"${BUILD_TYPE}\"
#define KSHOT_VERSION \"${VERSION}\"
")
set(old "")
if(EXISTS ${OUTPUT})
  file(READ ${OUTPUT} old)
endif()
if(NOT header STREQUAL old)
  file(WRITE ${OUTPUT} "${header}")
endif()
