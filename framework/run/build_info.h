#pragma once

#include <string>

namespace kshot {

/// What this program was built from.
struct BuildInfo {
  std::string version;
  std::string source_id;   ///< sha256 over the sources that decide results
  std::string git_commit;  ///< empty where the sources lay outside of git
  bool git_dirty = false;  ///< tracked files outside results/ differed from the commit
  std::string compiler, build_type;
};

const BuildInfo& build_info();

}  // namespace kshot
