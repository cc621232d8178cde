#include "experiments/leaderboard/comparison_words.h"

#include <fmt/format.h>

#include <cmath>

namespace kshot {

std::optional<double> deciding_interval(const Comparison& comparison) {
  return comparison.on_classes ? comparison.ci95_classes() : comparison.ci95_episodes();
}

std::string p_text(double p_value) {
  return p_value < 0.001 ? "p < 0.001" : fmt::format("p = {:.2g}", p_value);
}

std::string verdict(const std::string& first, const std::string& second,
                    const Comparison& comparison, double p_value, const Score& score) {
  const bool ahead = score.favours_first(comparison.difference);
  const std::string &better = ahead ? first : second, &worse = ahead ? second : first;
  std::string size = score.number(std::abs(comparison.difference));
  if (const auto half_width = deciding_interval(comparison))
    size += " +- " + score.number(*half_width);
  size += score.difference_unit;
  constexpr double kLevel = 0.05;
  return p_value < kLevel
             ? fmt::format("{} beats {} by {} ({})", better, worse, size, p_text(p_value))
             : fmt::format("{} and {}: {} apart ({})", better, worse, size, p_text(p_value));
}

Json comparison_json(const Comparison& comparison) {
  Json json{{"episodes", comparison.episodes},
            {"difference", comparison.difference},
            {"p", comparison.p_value()}};
  const auto put = [&](const char* key, const std::optional<double>& value) {
    if (value) json[key] = *value;
  };
  put("ci95_episodes", comparison.ci95_episodes());
  put("ci95_classes", comparison.ci95_classes());
  put("p_episodes", comparison.p_episodes());
  put("p_classes", comparison.p_classes());
  return json;
}

}  // namespace kshot
