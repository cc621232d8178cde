#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace kshot {

/// How much the query loss after each of `steps` inner steps counts in an epoch, from 0 (Antoniou
/// et al. 2019, section 4): alike at first, then ever more the last one's, down to 0.03 / steps for
/// each of the others in epoch `epochs`. They add up to 1.
inline std::vector<double> step_importance(int64_t steps, int64_t epochs, int64_t epoch) {
  const auto n = static_cast<double>(steps);
  const double floor = 0.03 / n,
               fall = static_cast<double>(epoch) / (n * static_cast<double>(epochs));
  std::vector<double> importance(static_cast<size_t>(steps), std::max(1 / n - fall, floor));
  importance.back() = std::min(1 / n + (n - 1) * fall, 1 - (n - 1) * floor);
  return importance;
}

/// MAML's own loss, which the reference code takes after those epochs.
inline std::vector<double> last_step_alone(int64_t steps) {
  std::vector<double> importance(static_cast<size_t>(steps), 0.0);
  importance.back() = 1;
  return importance;
}

}  // namespace kshot
