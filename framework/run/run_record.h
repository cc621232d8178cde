#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "framework/run/compute.h"
#include "framework/run/evaluator.h"

namespace kshot {

/// Everything that decides a run's numbers.
struct RunIdentity {
  Json spec;  ///< resolved; `name`, `paper`, `deviations`, `log` and paths are left out of the id
  std::vector<std::string> data_sha256, weights_sha256;
  Compute compute;
};

/// The first 12 hexadecimal digits of a sha256 over the identity, LibTorch's version and the
/// program's source_id, as canonical JSON.
std::string run_id(const RunIdentity& identity);

/// The id that a record must have: `env` states what decides the numbers beside the spec.
/// Throws Error(bad_data) naming what env.json lacks.
std::string recorded_run_id(const Json& spec, const Json& env);

/// env.json: commit, compiler, LibTorch, processor, threads, hashes of data and weights. No host,
/// user or absolute path.
Json environment(const RunIdentity& identity, int threads);

/// Blocks of a record; a value that does not exist is absent. `error` stands in the place of
/// `accuracy` where the tasks are regressions: {"mse": ..., "by_step": [{"step", "mean", ...}]}.
Json accuracy_block(const Evaluation& evaluation);
Json error_block(const Evaluation& evaluation);
Json loss_block(const Evaluation& evaluation);
/// All that a test says, by name: "accuracy" or "error", and "loss".
Json figures_block(const Evaluation& evaluation);

/// "2026-01-31T12:00:00Z".
std::string utc_now();
/// The largest resident set of this process so far.
int64_t peak_memory_bytes();

/// How many pages of memory the system has handed to this process so far; it does so anew where
/// freed memory was given back.
int64_t page_faults();

}  // namespace kshot
