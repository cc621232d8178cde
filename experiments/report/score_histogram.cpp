#include "experiments/report/score_histogram.h"

#include <algorithm>
#include <cmath>

#include "experiments/report/svg_chart.h"

namespace kshot {

Histogram accuracy_bins(std::span<const double> values, int64_t queries, int64_t most) {
  const double step = 1 / static_cast<double>(std::max<int64_t>(queries, 1));
  const auto [lowest, highest] = std::minmax_element(values.begin(), values.end());
  const auto first = std::llround(*lowest / step), last = std::llround(*highest / step);
  const int64_t steps = last - first + 1, wide = (steps + most - 1) / most;
  // Counted from the top, so that the best possible value ends a full bin.
  const int64_t bins = (steps + wide - 1) / wide;
  return {.low = (static_cast<double>(last - bins * wide) + 0.5) * step,
          .width = static_cast<double>(wide) * step,
          .counts = std::vector<int64_t>(static_cast<size_t>(bins))};
}

Histogram error_bins(std::span<const double> values, int most) {
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  const double high = sorted[(sorted.size() - 1) * 98 / 100];
  if (!(high > 0)) return {.low = 0, .width = 1, .counts = {0}};
  const double width = nice_ticks(0, high, most).at(1);
  const auto bins = static_cast<size_t>(std::floor(high / width)) + 1;
  Histogram histogram{.low = 0, .width = width, .counts = std::vector<int64_t>(bins)};
  histogram.open_end = sorted.back() >= histogram.edge(bins);
  return histogram;
}

Histogram filled(Histogram bins, std::span<const double> values) {
  std::fill(bins.counts.begin(), bins.counts.end(), 0);
  for (const double value : values) {
    const auto place = static_cast<int64_t>(std::floor((value - bins.low) / bins.width));
    const auto last = static_cast<int64_t>(bins.counts.size()) - 1;
    ++bins.counts[static_cast<size_t>(std::clamp<int64_t>(place, 0, last))];
  }
  return bins;
}

}  // namespace kshot
