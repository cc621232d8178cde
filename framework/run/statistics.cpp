#include "framework/run/statistics.h"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <map>

#include "framework/base/error.h"

namespace kshot {
namespace {

using StudentT = boost::math::students_t;

/// Neumaier's sum: the mean of a thousand copies of 0.92 is 0.92.
double mean_of(std::span<const double> values) {
  double sum = 0, lost = 0;
  for (const double value : values) {
    const double next = sum + value;
    lost += std::abs(sum) >= std::abs(value) ? (sum - next) + value : (value - next) + sum;
    sum = next;
  }
  return (sum + lost) / static_cast<double>(values.size());
}

/// What goes away with one source class.
struct Share {
  double deviation = 0;  // sum of (value - mean) over the episodes that contain it
  int64_t episodes = 0;
};

std::map<int64_t, Share> shares_by_class(std::span<const double> values, SourceLists sources,
                                         double mean) {
  std::map<int64_t, Share> shares;
  for (size_t e = 0; e < values.size(); ++e) {
    const auto& list = sources[e];
    for (auto source = list.begin(); source != list.end(); ++source) {
      if (std::find(list.begin(), source, *source) != source) continue;  // a second rotation
      Share& share = shares[*source];
      share.deviation += values[e] - mean;
      ++share.episodes;
    }
  }
  return shares;
}

}  // namespace

double student_t_quantile(double q, double freedom) {
  return boost::math::quantile(StudentT(freedom), q);
}

double StandardError::half_width() const { return student_t_quantile(0.975, freedom) * value; }

double StandardError::p_value(double mean) const {
  if (mean == 0) return 1;
  const double t = std::abs(mean) / value;
  if (!std::isfinite(t)) return 0;
  return 2 * boost::math::cdf(boost::math::complement(StudentT(freedom), t));
}

Summary summarize(std::span<const double> values) {
  if (values.empty()) throw Error(Exit::internal, "a summary of no values");
  Summary summary{.mean = mean_of(values), .n = static_cast<int64_t>(values.size())};
  if (const auto error = episode_error(values)) {
    summary.std = error->value * std::sqrt(static_cast<double>(values.size()));
    summary.ci95 = error->half_width();
  }
  return summary;
}

std::optional<StandardError> episode_error(std::span<const double> values) {
  if (values.size() < 2) return std::nullopt;
  const double mean = mean_of(values), n = static_cast<double>(values.size());
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return StandardError{.value = std::sqrt(squares / (n - 1) / n), .freedom = n - 1};
}

std::optional<StandardError> class_error(std::span<const double> values, SourceLists sources,
                                         int64_t way) {
  if (values.size() != sources.size()) {
    throw Error(Exit::internal, "{} values but {} lists of classes", values.size(), sources.size());
  }
  const auto episodes = episode_error(values);
  if (!episodes) return std::nullopt;

  const auto n = static_cast<int64_t>(values.size());
  const std::map<int64_t, Share> shares = shares_by_class(values, sources, mean_of(values));
  if (shares.size() < 2) return std::nullopt;

  std::vector<double> without;  // theta_-c - theta
  without.reserve(shares.size());
  for (const auto& [source, share] : shares) {
    if (share.episodes == n) return std::nullopt;
    without.push_back(-share.deviation / static_cast<double>(n - share.episodes));
  }
  const double centre = mean_of(without), classes = static_cast<double>(without.size());
  double squares = 0;
  for (const double value : without) squares += (value - centre) * (value - centre);

  const double episode_variance = episodes->value * episodes->value;
  const double jackknife = (classes - 1) / classes * squares;
  const double variance =
      std::max(episode_variance, jackknife - static_cast<double>(way - 1) * episode_variance);
  return StandardError{.value = std::sqrt(variance), .freedom = classes - 1};
}

std::optional<double> class_interval(std::span<const double> values, SourceLists sources,
                                     int64_t way) {
  const auto error = class_error(values, sources, way);
  return error ? std::optional(error->half_width()) : std::nullopt;
}

Bounds wilson_interval(int64_t right, int64_t total) {
  if (right < 0 || right > total) {
    throw Error(Exit::internal, "{} right answers of {}", right, total);
  }
  if (total == 0) return {};
  constexpr double kZ = 1.959963984540054;
  const double n = static_cast<double>(total), p = static_cast<double>(right) / n;
  const double centre = p + kZ * kZ / (2 * n);
  const double reach = kZ * std::sqrt(p * (1 - p) / n + kZ * kZ / (4 * n * n));
  const double scale = 1 + kZ * kZ / n;
  return {std::max(0.0, (centre - reach) / scale), std::min(1.0, (centre + reach) / scale)};
}

}  // namespace kshot
