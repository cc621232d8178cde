#pragma once

#include <optional>
#include <string>

#include "experiments/experiment.h"
#include "experiments/records/run_folder.h"

namespace kshot {

/// What selection among runs looks at: the figures of the validation that chose a run's weights.
/// `validation.json` of a run that was trained and not tested holds it.
struct ValidationRecord {
  std::optional<double> accuracy;  ///< absent for regressions, and where nothing was validated
  std::optional<double> loss;      ///< of a regression: the mean squared error
  int64_t iteration = 0;           ///< where that was; 0 where nothing is learned
  int64_t iterations = 0;          ///< of the whole training
  double seconds = 0;

  void describe(Fields& fields);

  /// By what it is ranked: accuracy, or a regression's loss.
  std::optional<double> score() const { return accuracy ? accuracy : loss; }
};

ValidationRecord validation_of(const TrainingResult& trained);

/// Of an algorithm that learns nothing: its validation tasks answered with `models`; without
/// figures where the data set has no validation split. Empty where a stop signal came.
std::optional<ValidationRecord> validate_untrained(TaskEngine& engine, const Experiment& experiment,
                                                   const std::vector<ParamList>& models,
                                                   bool quiet);

/// What validation.json says, else what result.json does; empty for a run that is neither trained
/// nor finished, and for a finished one that learned nothing. Throws Error(bad_data) for a damaged
/// file.
std::optional<ValidationRecord> find_validation(const RunFolder& folder);

/// "validation 91.20 % at iteration 300".
std::string validation_text(const ValidationRecord& validation);

}  // namespace kshot
