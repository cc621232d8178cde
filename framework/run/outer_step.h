#pragma once

#include "framework/run/algorithm.h"
#include "framework/run/optimizer.h"
#include "framework/run/train_options.h"

namespace kshot {

/// What an iteration does with the answer of learn_tasks(): divides the summed gradients by T,
/// clips them (by value, then by norm), steps the optimiser at the rates of context.iteration, and
/// moves the running statistics in `weights` by what the tasks met, task by task.
/// Changes the tensors of `weights` and `learned.gradients` in place.
/// Throws Error(diverged) naming iteration, task and inner step where a loss is not finite; nothing
/// is changed then.
void take_outer_step(TaskGradients& learned, const ParamList& weights, Optimizer& optimizer,
                     const Context& context, const TrainOptions& options);

}  // namespace kshot
