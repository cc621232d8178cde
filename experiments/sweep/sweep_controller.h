#pragma once

#include <string>
#include <vector>

#include "experiments/sweep/sweep_plan.h"
#include "experiments/sweep/trial_failure.h"

namespace kshot {

struct ControllerOptions {
  int jobs = 1;     ///< trials side by side
  int threads = 1;  ///< task threads of each
  int retries = 0;  ///< further attempts at a trial that failed
  bool fail_fast = false;
  bool quiet = false;
  std::string device = "auto";
};

/// How a stage of a sweep ended.
struct StageEnd {
  bool stopped = false;      ///< by a signal
  int failure = 0;           ///< the exit code of the first trial that failed, divergence apart
  int64_t diverged = 0;      ///< trials, in this call or an earlier one
  bool ended_early = false;  ///< by --fail-fast
};

/// Whether there is nothing left to do for a trial in this stage, by what lies in its run's folder.
bool is_done(const Trial& trial, SweepStage stage);

/// Brings trials of a frozen plan through a stage, in child processes of this program. A trial that
/// another controller works on is waited for, and taken over where that one dies; a trial that was
/// begun goes on from its checkpoint; one that diverged is left alone. Failures are written down.
/// A stop signal, or --fail-fast, stops the children in order. Throws Error(io).
StageEnd run_trials(const SweepPlan& plan, const std::vector<const Trial*>& trials,
                    SweepStage stage, const ControllerOptions& options);

}  // namespace kshot
