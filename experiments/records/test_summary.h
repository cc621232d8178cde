#pragma once

#include <string>

#include "experiments/experiment.h"

namespace kshot {

/// A test in one line: "demo  5-way 1-shot, 600 episodes: 91.20 % +- 0.53 on these episodes, ...".
std::string test_summary(const Experiment& experiment, const Evaluation& evaluation);

}  // namespace kshot
