#include "experiments/method_traits.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <set>

namespace kshot {

Traits traits_of(const RecordedRun& run) {
  Json spec = run.spec;
  for (const char* key : {"name", "paper", "deviations", "log", "seed"}) spec.erase(key);
  Traits traits;
  const Json flat = spec.flatten();
  for (const auto& [pointer, value] : flat.items()) {
    std::string path = pointer.empty() ? pointer : pointer.substr(1);
    std::replace(path.begin(), path.end(), '/', '.');
    traits[path] = value.is_string() ? value.get<std::string>() : value.dump();
  }
  // Other sources, another LibTorch or another kind of device may give other numbers.
  traits["source"] = run.result.at("run").value("source_id", "").substr(0, 7);
  for (const char* key : {"device", "libtorch"}) traits[key] = run.env.value(key, "");
  traits["classes"] = run.result.at("data").value("classes", Json::object()).dump();
  return traits;
}

Traits traits_apart_from_tasks(const Traits& traits) {
  Traits apart;
  for (const auto& [key, value] : traits) {
    const bool of_tasks =
        key == "classes" || key.starts_with("dataset.") || key.starts_with("episodes.test.") ||
        key.starts_with("episodes.validation.") || key.starts_with("episodes.train.dataset.") ||
        key == "episodes.train.way" || key == "episodes.train.shot" ||
        key == "episodes.train.query";
    if (!of_tasks) apart[key] = value;
  }
  return apart;
}

std::vector<std::string> differing_keys(const std::vector<Traits>& all) {
  std::set<std::string> keys, differing;
  for (const Traits& traits : all) {
    for (const auto& [key, value] : traits) keys.insert(key);
  }
  const auto value_in = [](const Traits& traits, const std::string& key) {
    const auto found = traits.find(key);
    return found == traits.end() ? std::string() : found->second;
  };
  for (const std::string& key : keys) {
    for (const Traits& traits : all) {
      if (value_in(traits, key) != value_in(all[0], key)) differing.insert(key);
    }
  }
  return {differing.begin(), differing.end()};
}

std::string difference_from(const std::vector<Traits>& others, const Traits& own) {
  constexpr size_t kMost = 3;
  std::vector<Traits> all = others;
  all.push_back(own);
  std::vector<std::string> parts;
  for (const std::string& key : differing_keys(all)) {
    if (const auto value = own.find(key); value != own.end())
      parts.push_back(key + "=" + value->second);
  }
  if (parts.size() > kMost) {
    parts.resize(kMost);
    parts.emplace_back("...");
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace kshot
