#pragma once

#include <optional>
#include <string>

#include "experiments/sweep/sweep_plan.h"

namespace kshot {

struct SlurmOptions {
  std::string device = "cpu";
  int threads = 1;                    ///< task threads, and cores, of a trial
  std::optional<int> at_a_time = {};  ///< how many trials the array runs side by side
};

/// An sbatch file that runs a frozen plan as an array, a trial a task. Two minutes before its time
/// limit a task stops in order and is queued again; so is one whose node fails.
std::string slurm_text(const SweepPlan& plan, const SlurmOptions& options);

}  // namespace kshot
