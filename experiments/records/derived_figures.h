#pragma once

#include <vector>

#include "experiments/records/task_definition.h"

namespace kshot {

/// Derives every figure of a "test" block again from its episode lines: the hash of the tasks,
/// accuracies or squared errors from predictions, the intervals, the loss. Throws Error(bad_data)
/// where a line is not a task of this definition or a stated figure is not what the lines give.
/// `classes` are the test classes of the data set.
Evaluation derive_figures(const TaskDefinition& tasks, const Json& stated_test,
                          std::vector<EpisodeOutcome> lines, const std::vector<TaskClass>& classes);

}  // namespace kshot
