#pragma once

#include <string>

#include "experiments/sweep/sweep_plan.h"

namespace kshot {

/// What a sweep would run, for --dry-run.
struct SweepPreview {
  int64_t configurations = 0;
  std::vector<std::string> states;  ///< of each trial: "tested", "trained", "begun", "diverged", ""
  int64_t left = 0;                 ///< trials to be trained
  double training = 0;              ///< seconds of these trials, one after the other
  double test = 0;                  ///< seconds of the test of one trial
  int64_t measured = 0;             ///< configurations measured; the others are taken to be alike
};

/// Measures the pace of up to eight configurations for `seconds` each. Writes nothing.
SweepPreview preview_sweep(const SweepPlan& plan, const torch::Device& device, int threads,
                           double seconds, bool quiet);

/// How it will be run: `jobs` trials side by side; `tests` is chosen, all or none.
struct SweepManner {
  int jobs = 1;
  std::string tests = "chosen";
};

std::string preview_text(const SweepPlan& plan, const SweepPreview& preview,
                         const SweepManner& manner);
Json preview_json(const SweepPlan& plan, const SweepPreview& preview, const SweepManner& manner);

}  // namespace kshot
