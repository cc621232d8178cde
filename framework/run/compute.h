#pragma once

#include <string>
#include <vector>

#include "framework/base/task_engine.h"
#include "framework/run/algorithm.h"
#include "framework/run/meta_batch.h"

namespace kshot {

/// How tasks are computed. Resolved before step 0 and part of the record: the bits of a result
/// depend on all of it and never on the number of task threads.
struct Compute {
  torch::Device device{torch::kCPU};
  torch::Dtype dtype = torch::kFloat;
  std::string task_mode =
      "threads";  ///< threads: one task a call; batched: all along the task axis
  int intra_op_threads = 1;

  bool batched() const { return task_mode == "batched"; }
};

/// learn() over all tasks of a meta-batch, piece by piece: gradients summed in task order,
/// statistics and losses in task order, whatever the number of threads. `context.tasks` is set here
/// from the plans. `reduce_seconds`, where given, gets the time that summing took, in one thread
/// while others go on learning.
TaskGradients learn_tasks(TaskEngine& engine, const Algorithm& algorithm, const ParamList& weights,
                          const MetaBatch& tasks, const Context& context, const Compute& compute,
                          double* reduce_seconds = nullptr);

}  // namespace kshot
