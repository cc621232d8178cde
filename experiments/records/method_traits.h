#pragma once

#include <string>
#include <vector>

#include "experiments/flat_spec.h"
#include "experiments/records/recorded_run.h"

namespace kshot {

/// Everything that makes a method but its training seed.
using Traits = FlatSpec;

Traits traits_of(const RecordedRun& run);

/// Without what belongs to the tasks: data sets and the shapes of episodes. Equal for a method that
/// was trained and tested in the same way on other tasks.
Traits traits_apart_from_tasks(const Traits& traits);

/// "algorithm.inner_lr=0.1, source=1a2b3c4": what tells this method from the others.
std::string difference_from(const std::vector<Traits>& others, const Traits& own);

}  // namespace kshot
