#pragma once

#include <optional>
#include <string>
#include <vector>

#include "experiments/run/reopened_run.h"

namespace kshot {

/// The test of a reopened run, computed now. Nothing where a stop signal came.
std::optional<Evaluation> test_again(const ReopenedRun& run, TaskEngine& engine, bool quiet);

/// What did not come out as the record has it, digit for digit: figures with both values, then how
/// many episodes and the first of them. Empty where all did.
std::vector<std::string> differences_from_record(const ReopenedRun& run, const Evaluation& now);

/// " (the record was made by other sources: 1a2b3c, now 4d5e6f)", or what else may explain other
/// digits; empty where sources, processor and device are the record's.
std::string other_circumstances(const ReopenedRun& run);

}  // namespace kshot
