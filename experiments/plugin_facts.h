#pragma once

#include <string>
#include <vector>

#include "framework/base/fields.h"

namespace kshot {

/// What a user may know of one registered plugin.
struct PluginDescription {
  Json facts;  ///< name, summary, paper or source; of an algorithm also what feeds it
  std::vector<OptionRow> options;
};

/// The kinds that `kshot describe` knows: "algorithm", "backbone", "dataset".
const std::vector<std::string>& plugin_kinds();

/// Sorted names of the registered plugins of a kind. Throws Error(bad_spec) for an unknown kind.
std::vector<std::string> plugin_names(const std::string& kind);

/// Throws Error(bad_spec) for an unknown kind or name.
PluginDescription describe_plugin(const std::string& kind, const std::string& name);

/// {"name", "type", "default", "min", "max", "choices", "symbol", "help"}; what does not exist is
/// absent.
Json option_to_json(const OptionRow& row);

/// The values an option may have, in words: "at least 1", "from 0 to 1", "a | b"; empty for any.
std::string allowed_values(const OptionRow& row);

}  // namespace kshot
