#pragma once

#include "experiments/experiment.h"

namespace kshot {

/// How long an experiment takes here, by a short measurement.
struct Pace {
  double iteration = 0;        ///< seconds of an outer step; 0 where nothing is learned
  double validation_task = 0;  ///< seconds of a validation task; 0 where nothing is validated
  double test_task = 0;        ///< seconds of a test task
};

/// Learns and answers a few tasks, for about as long as `seconds`, but at least once each and no
/// more than the experiment itself would. Writes nothing.
Pace measure_pace(TaskEngine& engine, const Experiment& experiment, double seconds);

/// Seconds of a whole training with its validations, which may end earlier by `train.patience`.
double training_seconds(const Experiment& experiment, const Pace& pace);
/// Seconds of the test.
double test_seconds(const Experiment& experiment, const Pace& pace);

}  // namespace kshot
