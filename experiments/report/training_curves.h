#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "experiments/report/svg_chart.h"

namespace kshot {

/// What a line of metrics.jsonl says of training or of a validation.
struct Measurement {
  int64_t iteration = 0;
  double loss = 0;
  std::optional<double> accuracy;  ///< absent for regressions
};

/// A training as its log tells it.
struct TrainingCurves {
  std::vector<Measurement> train, validation, retrain;
  double seconds = 0;  ///< that training has taken so far

  bool empty() const { return train.empty() && validation.empty() && retrain.empty(); }
  int64_t last_iteration() const;
  /// The validation that `select_by` ("accuracy" or "loss") prefers; the first of equals.
  std::optional<Measurement> best_validation(const std::string& select_by) const;
};

/// Reads metrics.jsonl; no curves where there is no such file. A last line without its end, which a
/// running training may be writing, is passed over. Throws Error(bad_data) naming the line that is
/// no measurement, or whose iteration does not rise.
TrainingCurves read_curves(const std::filesystem::path& metrics);

/// Losses or accuracies over the iterations; measurements without one are left out.
std::vector<Point> losses_of(const std::vector<Measurement>& measured);
std::vector<Point> accuracies_of(const std::vector<Measurement>& measured);

/// At most `most` points, each the mean of a stretch of x of equal length. `points` by rising x.
std::vector<Point> thinned(const std::vector<Point>& points, size_t most);

/// Each y as the mean of its neighbours, weighted by a Gaussian of their distance in x with this
/// standard deviation. The line neither lags behind nor starts from anywhere. By rising x.
std::vector<Point> smoothed(const std::vector<Point>& points, double deviation);

}  // namespace kshot
