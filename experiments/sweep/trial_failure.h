#pragma once

#include <optional>
#include <string>

#include "experiments/sweep/sweep_plan.h"
#include "framework/base/error.h"

namespace kshot {

/// What a trial does: training ends with a validation score, testing with a record.
enum class SweepStage { train, test };

/// Why a trial has no score, or no test: `failures/<index>.json` in the sweep's folder.
struct TrialFailure {
  std::string stage;  ///< "train" or "test"
  int64_t exit = 0;   ///< the exit code; 128 + the signal that ended it
  std::string message;

  /// Another attempt would end alike.
  bool diverged() const { return exit == static_cast<int64_t>(Exit::diverged); }
  void describe(Fields& fields);
};

std::string stage_name(SweepStage stage);

void write_failure(const SweepPlan& plan, const Trial& trial, const TrialFailure& failure);
/// Throws Error(bad_data) for a damaged file.
std::optional<TrialFailure> find_failure(const SweepPlan& plan, const Trial& trial);
void remove_failure(const SweepPlan& plan, const Trial& trial);

}  // namespace kshot
