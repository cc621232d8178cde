#pragma once

#include <optional>
#include <string>

#include "framework/base/fields.h"

namespace kshot {

/// The `train` block of a spec.
struct TrainOptions {
  int64_t iterations = 10000;
  int64_t meta_batch = 1;
  int64_t validate_every = 500;
  int64_t patience = 0;
  std::string select_by = "accuracy";
  int64_t ensemble = 1;
  std::optional<int64_t> retrain_extra;
  std::string task_mode = "auto";
  std::optional<int64_t> intra_op_threads;
  std::optional<double> clip_value, clip_norm;
  double statistics_momentum = 0.1;
  std::optional<double> epochs;

  void describe(Fields& fields);
};

}  // namespace kshot
