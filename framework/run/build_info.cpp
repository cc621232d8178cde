#include "framework/run/build_info.h"

#include <build_info_data.h>

namespace kshot {

const BuildInfo& build_info() {
  static const BuildInfo info{.version = KSHOT_VERSION,
                              .source_id = KSHOT_SOURCE_ID,
                              .git_commit = KSHOT_GIT_COMMIT,
                              .git_dirty = KSHOT_GIT_DIRTY != 0,
                              .compiler = KSHOT_COMPILER,
                              .build_type = KSHOT_BUILD_TYPE};
  return info;
}

}  // namespace kshot
