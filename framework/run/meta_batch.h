#pragma once

#include <functional>
#include <span>
#include <vector>

#include "framework/run/episode.h"

namespace kshot {

/// The tasks of one iteration in the pieces that learn() gets at a time. A piece is loaded when its
/// turn comes, so that images in memory do not grow with the meta-batch.
struct MetaBatch {
  int64_t pieces = 0;
  /// Hands over piece i, once. Called from any thread, in order of i; may wait. Throws what loading
  /// threw.
  std::function<Episodes(int64_t)> take;
};

/// Cuts plans into pieces: one task each, or, `batched`, consecutive plans of equal shape.
std::vector<std::span<const TaskPlan>> cut_plans(std::span<const TaskPlan> plans, bool batched);

/// Plans [iteration * meta_batch, (iteration + 1) * meta_batch): the tasks of that iteration.
std::vector<TaskPlan> plans_of(const TaskSource& source, int64_t iteration, int64_t meta_batch);

}  // namespace kshot
