#include "experiments/report/spec_settings.h"

#include <fmt/ranges.h>

#include <map>

#include "experiments/flat_spec.h"

namespace kshot {
namespace {

std::string last_part(const std::string& path) { return path.substr(path.rfind('.') + 1); }

/// "inner_lr 0.1, seed 2".
std::string values_text(const std::vector<Setting>& settings, size_t run) {
  constexpr size_t kMost = 4;
  std::vector<std::string> parts;
  for (const Setting& setting : settings) {
    if (!setting.values[run].empty()) parts.push_back(setting.name + " " + setting.values[run]);
  }
  if (parts.size() > kMost) {
    parts.resize(kMost);
    parts.emplace_back("...");
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace

std::vector<Setting> differing_settings(const std::vector<Json>& specs) {
  std::vector<FlatSpec> all;
  for (const Json& spec : specs) all.push_back(flat_spec(spec));
  std::vector<Setting> differing;
  std::map<std::string, int> endings;
  for (const std::string& path : differing_keys(all)) {
    Setting setting{.path = path, .name = path, .values = {}};
    for (const FlatSpec& settings : all) {
      const auto found = settings.find(path);
      setting.values.push_back(found == settings.end() ? "" : found->second);
    }
    ++endings[last_part(path)];
    differing.push_back(std::move(setting));
  }
  for (Setting& setting : differing) {
    if (endings[last_part(setting.path)] == 1) setting.name = last_part(setting.path);
  }
  return differing;
}

std::vector<std::string> run_labels(const std::vector<std::string>& names,
                                    const std::vector<std::string>& ids,
                                    const std::vector<Json>& specs) {
  std::map<std::string, std::vector<size_t>> by_name;
  for (size_t i = 0; i < names.size(); ++i) by_name[names[i]].push_back(i);
  std::vector<std::string> labels = names;
  for (const auto& [name, members] : by_name) {
    if (members.size() == 1) continue;
    std::vector<Json> own;
    own.reserve(members.size());
    for (const size_t i : members) own.push_back(specs[i]);
    const std::vector<Setting> settings = differing_settings(own);
    for (size_t m = 0; m < members.size(); ++m) {
      const std::string values = values_text(settings, m);
      std::string& label = labels[members[m]];
      if (!values.empty()) label = by_name.size() == 1 ? values : name + " " + values;
    }
  }
  std::map<std::string, int> uses;
  for (const std::string& label : labels) ++uses[label];
  for (size_t i = 0; i < labels.size(); ++i) {
    if (uses[labels[i]] > 1) labels[i] += " " + ids[i];
  }
  return labels;
}

}  // namespace kshot
