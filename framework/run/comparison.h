#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "framework/run/statistics.h"

namespace kshot {

/// Two methods on the same episodes, paired: what is said is about the difference of each episode,
/// so that the difficulty that the methods share cancels.
struct Comparison {
  int64_t episodes = 0;
  double difference = 0;                          ///< mean of first - second
  std::optional<StandardError> on_episodes = {};  ///< for this exact test set; needs 2 episodes
  std::optional<StandardError> on_classes = {};   ///< for new classes; absent as class_error is

  std::optional<double> ci95_episodes() const;
  std::optional<double> ci95_classes() const;
  /// Two-sided t tests of "no difference". The same runs give 1; a difference that is the same in
  /// every episode gives 0.
  std::optional<double> p_episodes() const;
  std::optional<double> p_classes() const;

  /// What decisions rest on: new classes where that is known, else episodes, else 1 (no evidence).
  double p_value() const;
};

/// `first[i]` and `second[i]` are the accuracies (or losses) of two methods on episode i;
/// `sources[i]` its source classes, `way` of them. Throws Error(bad_data) if the lengths differ.
Comparison compare(std::span<const double> first, std::span<const double> second,
                   SourceLists sources, int64_t way);

/// p-values of a family of tests, corrected after Holm (1979): with the i-th smallest (from 1) of m
/// multiplied by m - i + 1, each becomes the largest of those up to it, at most 1. A test decides
/// at family-wise level 0.05 if its corrected value is < 0.05. Same order as given.
std::vector<double> holm(std::span<const double> p_values);

/// Whether methods i and j can be told apart. Asked with i != j, in either order.
using Differs = std::function<bool(size_t i, size_t j)>;

/// Leaderboard ranks from 1, in the order given; higher means are better (negate errors).
/// Methods are walked from the best mean down. The first leads a group; each next one shares the
/// rank of the group's leader if it cannot be told apart from that leader, else it leads a new
/// group, whose rank counts every method above it: 1, 1, 3. Equal means keep the order given.
std::vector<int64_t> shared_ranks(std::span<const double> means, const Differs& differs);

/// One method's values on the common episodes.
using Method = std::span<const double>;

struct Ranking {
  struct Pair {
    size_t first = 0, second = 0;  ///< methods, first < second
    Comparison comparison;
    double corrected_p = 1;  ///< Holm over all pairs
    bool differs = false;    ///< corrected_p < 0.05
  };
  std::vector<Pair> pairs;     ///< (0,1), (0,2), ..., (1,2), ...
  std::vector<int64_t> ranks;  ///< of the methods, in the order given

  const Pair& pair(size_t i, size_t j) const;  ///< in either order
};

/// Compares every pair of methods on the same episodes and ranks them: shared_ranks() with the
/// corrected decisions of all m(m-1)/2 pairs. Of errors, less is better.
Ranking rank_methods(std::span<const Method> methods, SourceLists sources, int64_t way,
                     bool more_is_better = true);

}  // namespace kshot
