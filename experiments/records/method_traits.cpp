#include "experiments/records/method_traits.h"

#include <fmt/ranges.h>

namespace kshot {

Traits traits_of(const RecordedRun& run) {
  Traits traits = flat_spec(run.spec);
  traits.erase("seed");
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
