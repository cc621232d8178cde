#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "experiments/experiment.h"
#include "experiments/records/run_folder.h"
#include "experiments/sweep/sweep_space.h"

namespace kshot {

/// One trial of a sweep: a run of the spec with some settings.
struct Trial {
  int64_t index = 0;
  Settings settings;
  std::string run_id;
  RunFolder folder;  ///< of the run
  Json
      validation_tasks;  ///< on what its validation score is measured: scores on equal ones compare
  TaskKind kind = TaskKind::classification;

  /// What it has in common with the other seeds of its configuration.
  Settings without_seed() const;
};

/// What a sweep runs. It is frozen: `<results>/<name>/sweeps/<id>/` is made once, and the id is a
/// hash of the spec and of every trial's settings and run id.
struct SweepPlan {
  std::string id, name;
  Json spec;  ///< with its "sweep" block
  std::filesystem::path results, folder;
  std::vector<Trial> trials;
  int intra_op_threads = 1;  ///< the most that a trial asks for
  int64_t repeated =
      0;  ///< settings that came out as the run of an earlier trial, and were dropped

  std::filesystem::path file(const std::string& inside) const { return folder / inside; }
};

/// Expands the block and opens every trial's experiment: what is wrong with one of them shows now.
/// Writes nothing. Throws Error that names the trial.
SweepPlan plan_sweep(const Json& spec, const std::filesystem::path& results,
                     const torch::Device& device);

/// A trial brought to life. Data sets are shared through the cache. Throws Error that names the
/// trial by its settings.
Experiment open_trial(const Json& spec, const Settings& settings, const torch::Device& device,
                      DatasetCache& datasets);

/// Writes sweep.json, a spec that makes this plan again, and plan.jsonl, unless they are there:
/// then they must say the same. Throws Error(io), Error(bad_data).
void freeze(const SweepPlan& plan);

/// The words after "kshot" that run a trial from the frozen plan.
std::vector<std::string> run_words(const SweepPlan& plan, const Trial& trial);

}  // namespace kshot
