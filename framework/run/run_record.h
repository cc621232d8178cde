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

/// env.json: commit, compiler, LibTorch, processor, threads. No host, user or absolute path.
Json environment(const Compute& compute, int threads);

/// One line of episodes.jsonl, and back. From these lines every figure in result.json can be
/// derived again. Throws Error(bad_data) naming `where` for a line that is not one.
Json outcome_to_json(const EpisodeOutcome& outcome);
EpisodeOutcome outcome_from_json(const Json& line, const std::string& where);

/// All lines of an episodes.jsonl, as text.
std::string outcomes_text(const std::vector<EpisodeOutcome>& outcomes);
std::vector<EpisodeOutcome> read_outcomes(const std::filesystem::path& path);

/// The "accuracy" and "loss" blocks of a record; a value that does not exist is absent.
Json accuracy_block(const Evaluation& evaluation);
Json loss_block(const Evaluation& evaluation);

/// "2026-01-31T12:00:00Z".
std::string utc_now();
/// The largest resident set of this process so far.
int64_t peak_memory_bytes();

}  // namespace kshot
