#include "framework/run/comparison.h"

#include <algorithm>
#include <numeric>

#include "framework/base/error.h"

namespace kshot {
namespace {

constexpr double kLevel = 0.05;

std::optional<double> half_width_of(const std::optional<StandardError>& error) {
  return error ? std::optional(error->half_width()) : std::nullopt;
}

std::optional<double> p_value_of(const std::optional<StandardError>& error, double difference) {
  return error ? std::optional(error->p_value(difference)) : std::nullopt;
}

/// Indices of `values` such that `before(a, b)` holds from one to the next; stable.
template <class Before>
std::vector<size_t> sorted_order(std::span<const double> values, Before before) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return before(values[a], values[b]); });
  return order;
}

}  // namespace

std::optional<double> Comparison::ci95_episodes() const { return half_width_of(on_episodes); }
std::optional<double> Comparison::ci95_classes() const { return half_width_of(on_classes); }

std::optional<double> Comparison::p_episodes() const { return p_value_of(on_episodes, difference); }
std::optional<double> Comparison::p_classes() const { return p_value_of(on_classes, difference); }

double Comparison::p_value() const {
  if (on_classes) return on_classes->p_value(difference);
  return on_episodes ? on_episodes->p_value(difference) : 1;
}

Comparison compare(std::span<const double> first, std::span<const double> second,
                   SourceLists sources, int64_t way) {
  if (first.size() != second.size() || first.empty()) {
    throw Error(Exit::bad_data,
                "a paired comparison needs the same episodes; one method has {}, the other {}",
                first.size(), second.size());
  }
  std::vector<double> differences(first.size());
  std::transform(first.begin(), first.end(), second.begin(), differences.begin(), std::minus<>());
  return {.episodes = static_cast<int64_t>(differences.size()),
          .difference = summarize(differences).mean,
          .on_episodes = episode_error(differences),
          .on_classes = class_error(differences, sources, way)};
}

std::vector<double> holm(std::span<const double> p_values) {
  const std::vector<size_t> order = sorted_order(p_values, std::less<>());
  std::vector<double> corrected(p_values.size());
  double largest = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    const double multiplied = static_cast<double>(order.size() - i) * p_values[order[i]];
    largest = std::max(largest, std::min(1.0, multiplied));
    corrected[order[i]] = largest;
  }
  return corrected;
}

std::vector<int64_t> shared_ranks(std::span<const double> means, const Differs& differs) {
  const std::vector<size_t> order = sorted_order(means, std::greater<>());
  std::vector<int64_t> ranks(means.size());
  size_t leader = 0;  // a place in `order`
  for (size_t place = 0; place < order.size(); ++place) {
    if (place > leader && differs(order[leader], order[place])) leader = place;
    ranks[order[place]] = static_cast<int64_t>(leader) + 1;
  }
  return ranks;
}

const Ranking::Pair& Ranking::pair(size_t i, size_t j) const {
  const auto found = std::find_if(pairs.begin(), pairs.end(), [&](const Pair& pair) {
    return pair.first == std::min(i, j) && pair.second == std::max(i, j);
  });
  if (found == pairs.end()) throw Error(Exit::internal, "no pair of methods {} and {}", i, j);
  return *found;
}

Ranking rank_methods(std::span<const Method> methods, SourceLists sources, int64_t way,
                     bool more_is_better) {
  Ranking ranking;
  std::vector<double> means, p_values;
  for (size_t i = 0; i < methods.size(); ++i) {
    const double mean = summarize(methods[i]).mean;
    means.push_back(more_is_better ? mean : -mean);
    for (size_t j = i + 1; j < methods.size(); ++j) {
      ranking.pairs.push_back(
          {.first = i, .second = j, .comparison = compare(methods[i], methods[j], sources, way)});
      p_values.push_back(ranking.pairs.back().comparison.p_value());
    }
  }
  const std::vector<double> corrected = holm(p_values);
  for (size_t k = 0; k < corrected.size(); ++k) {
    ranking.pairs[k].corrected_p = corrected[k];
    ranking.pairs[k].differs = corrected[k] < kLevel;
  }
  ranking.ranks =
      shared_ranks(means, [&](size_t i, size_t j) { return ranking.pair(i, j).differs; });
  return ranking;
}

}  // namespace kshot
