#include "experiments/report/main_effects.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace kshot {
namespace {

/// Whether the runs fall into the same groups by either setting.
bool change_together(const Setting& a, const Setting& b) {
  std::map<std::string, std::string> to_b, to_a;
  for (size_t i = 0; i < a.values.size(); ++i) {
    if (to_b.try_emplace(a.values[i], b.values[i]).first->second != b.values[i]) return false;
    if (to_a.try_emplace(b.values[i], a.values[i]).first->second != a.values[i]) return false;
  }
  return true;
}

std::vector<Setting> joined(const std::vector<Setting>& settings) {
  std::vector<Setting> result;
  for (const Setting& setting : settings) {
    const auto same = std::find_if(result.begin(), result.end(), [&](const Setting& other) {
      return other.path != "seed" && setting.path != "seed" && change_together(other, setting);
    });
    if (same == result.end()) {
      result.push_back(setting);
      continue;
    }
    same->name += ", " + setting.name;
    for (size_t i = 0; i < setting.values.size(); ++i)
      same->values[i] += ", " + (setting.values[i].empty() ? "-" : setting.values[i]);
  }
  return result;
}

/// Numbers by size, before texts.
bool before(const std::string& a, const std::string& b) {
  const auto x = numeric(a), y = numeric(b);
  if (x && y) return *x < *y;
  return x.has_value() == y.has_value() ? a < b : x.has_value();
}

MainEffect effect_of(const Setting& setting, std::span<const double> scores) {
  MainEffect effect{.setting = setting, .levels = {}};
  for (size_t i = 0; i < scores.size(); ++i) {
    const auto known =
        std::find_if(effect.levels.begin(), effect.levels.end(),
                     [&](const Level& level) { return level.value == setting.values[i]; });
    Level& level = known == effect.levels.end()
                       ? effect.levels.emplace_back(
                             Level{.value = setting.values[i], .scores = {}, .summary = {}})
                       : *known;
    level.scores.push_back(scores[i]);
  }
  for (Level& level : effect.levels) level.summary = summarize(level.scores);
  std::stable_sort(effect.levels.begin(), effect.levels.end(),
                   [](const Level& a, const Level& b) { return before(a.value, b.value); });
  const auto [low, high] = std::minmax_element(
      effect.levels.begin(), effect.levels.end(),
      [](const Level& a, const Level& b) { return a.summary.mean < b.summary.mean; });
  effect.size = high->summary.mean - low->summary.mean;
  return effect;
}

}  // namespace

std::optional<double> numeric(const std::string& value) {
  const Json json = Json::parse(value, nullptr, /*allow_exceptions=*/false);
  if (!json.is_number()) return std::nullopt;
  return json.get<double>();
}

std::vector<MainEffect> main_effects(const std::vector<Setting>& settings,
                                     std::span<const double> scores) {
  std::vector<MainEffect> effects;
  for (const Setting& setting : joined(settings)) effects.push_back(effect_of(setting, scores));
  std::stable_sort(effects.begin(), effects.end(), [](const MainEffect& a, const MainEffect& b) {
    const bool a_seed = a.setting.path == "seed", b_seed = b.setting.path == "seed";
    return a_seed != b_seed ? b_seed : a.size > b.size;
  });
  return effects;
}

}  // namespace kshot
