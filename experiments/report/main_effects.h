#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "experiments/report/spec_settings.h"
#include "framework/run/statistics.h"

namespace kshot {

/// The runs that share one value of a setting, whatever else they differ in.
struct Level {
  std::string value;
  std::vector<double> scores;
  Summary summary;  ///< over those runs
};

/// What a setting does to the score on average over all that varies with it.
struct MainEffect {
  Setting setting;
  std::vector<Level> levels;  ///< numbers by size, then texts
  double size = 0;            ///< the highest mean of a level minus the lowest
};

/// One for each setting, `scores` being of the runs; the largest first, the seed last. Settings
/// that always change together stand as one, their names and values joined.
std::vector<MainEffect> main_effects(const std::vector<Setting>& settings,
                                     std::span<const double> scores);

/// The value as a number; absent where it is not one.
std::optional<double> numeric(const std::string& value);

}  // namespace kshot
