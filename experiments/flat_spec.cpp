#include "experiments/flat_spec.h"

#include <algorithm>
#include <set>

namespace kshot {
namespace {

void collect(const Json& block, const std::string& path, FlatSpec& settings) {
  for (const auto& [key, value] : block.items()) {
    const std::string here = path.empty() ? key : path + "." + key;
    if (value.is_object() && !value.empty()) {
      collect(value, here, settings);
    } else if (!here.ends_with("dataset.path")) {
      settings[here] = value.is_string() ? value.get<std::string>() : value.dump();
    }
  }
}

}  // namespace

FlatSpec flat_spec(const Json& spec) {
  Json deciding = spec;
  for (const char* key : {"name", "paper", "deviations", "log"}) deciding.erase(key);
  FlatSpec settings;
  collect(deciding, "", settings);
  return settings;
}

std::vector<std::string> differing_keys(const std::vector<FlatSpec>& all) {
  std::set<std::string> keys;
  for (const FlatSpec& settings : all) {
    for (const auto& [key, value] : settings) keys.insert(key);
  }
  std::vector<std::string> differing;
  for (const std::string& key : keys) {
    const auto first = all[0].find(key);
    const bool same = std::all_of(all.begin(), all.end(), [&](const FlatSpec& settings) {
      const auto found = settings.find(key);
      return first == all[0].end() ? found == settings.end()
                                   : found != settings.end() && found->second == first->second;
    });
    if (!same) differing.push_back(key);
  }
  return differing;
}

}  // namespace kshot
