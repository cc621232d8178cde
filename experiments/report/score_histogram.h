#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace kshot {

/// How many values fall into each of equal intervals [low + i width, low + (i+1) width).
struct Histogram {
  double low = 0, width = 1;
  std::vector<int64_t> counts;
  bool open_end = false;  ///< the last interval also takes what lies above it

  double edge(size_t i) const { return low + width * static_cast<double>(i); }
};

/// Bins for accuracies over `queries` answers each, which are multiples of 1/queries: as wide as a
/// whole number of those steps, edges halfway between two, so that no bin is favoured. At most
/// `most` bins from the lowest value to the highest.
Histogram accuracy_bins(std::span<const double> values, int64_t queries, int64_t most);
/// Bins of round width from 0 on that hold 98 % of the values; the last one takes the rest.
Histogram error_bins(std::span<const double> values, int most);

/// The same bins filled with values; what lies outside goes to the bin nearest to it.
Histogram filled(Histogram bins, std::span<const double> values);

}  // namespace kshot
