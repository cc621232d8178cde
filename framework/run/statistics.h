#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace kshot {

/// The q-quantile of Student's t with `freedom` > 0 degrees of freedom; 0 < q < 1.
double student_t_quantile(double q, double freedom);

/// How far a mean over episodes may be off, and how well that is known.
struct StandardError {
  double value = 0;    ///< >= 0, in the unit of the mean
  double freedom = 1;  ///< degrees of freedom of Student's t

  /// The 95 % interval is mean +- half_width().
  double half_width() const;
  /// Two-sided p-value of "the true mean is 0". Without any spread: 1 for a mean of 0, else 0.
  double p_value(double mean) const;
};

/// What n values, one per episode, say about "this exact test set".
struct Summary {
  double mean = 0;
  int64_t n = 0;
  std::optional<double> std = {};   ///< divisor n - 1; absent for n < 2
  std::optional<double> ci95 = {};  ///< half-width t_{n-1, 0.975} std / sqrt(n); absent for n < 2
};

/// Throws Error(internal) without values.
Summary summarize(std::span<const double> values);

/// SE_ep = std / sqrt(n) with n - 1 degrees of freedom; absent for n < 2.
std::optional<StandardError> episode_error(std::span<const double> values);

/// The classes of each episode by *source*: a class and its rotations are one number. One list of
/// `way` entries an episode; a source may stand twice in it, through two of its rotations.
using SourceLists = std::span<const std::vector<int64_t>>;

/// The error of a mean over episodes as an estimate for *new classes*: a delete-one-class jackknife
/// (Efron & Tibshirani 1993, ch. 11) over the C source classes that occur. With theta_-c the mean
/// over the episodes without class c and theta_ the mean of those,
///     SE2_jack  = (C-1)/C sum_c (theta_-c - theta_)^2.
/// An episode goes away with each of its `way` classes, so its own noise is counted `way` times:
///     SE2_class = max(SE2_ep, SE2_jack - (way-1) SE2_ep),  with C - 1 degrees of freedom.
/// Coverage of the 95 % interval by simulation, 10000 replications: 94.6-95.1 % where classes
/// differ (20 classes x 600 episodes, 423 characters x 4 rotations x 1000, 5-way). More where they
/// do not (98.7 and 95.9 %) or where way is a large part of C (96.5 % at way 10 of 20, 99.4 % at
/// 15), as the noise is counted way (C-1)/(C-way) times in truth; taking off that much instead
/// undercovers. Absent where C < 2, n < 2, or one class is in every episode.
/// Time: O(episodes * way * log C).
std::optional<StandardError> class_error(std::span<const double> values, SourceLists sources,
                                         int64_t way);

/// The half-width of class_error's 95 % interval: t_{C-1, 0.975} SE_class.
std::optional<double> class_interval(std::span<const double> values, SourceLists sources,
                                     int64_t way);

struct Bounds {
  double low = 0, high = 1;
};

/// Wilson's 95 % score interval (Wilson 1927) for the accuracy `right` of `total` images, with
/// z = 1.96 (the normal's 0.975 quantile):
///     (p + z2/2n +- z sqrt(p(1-p)/n + z2/4n2)) / (1 + z2/n).
/// [0,1] for no images.
Bounds wilson_interval(int64_t right, int64_t total);

}  // namespace kshot
