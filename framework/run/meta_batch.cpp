#include "framework/run/meta_batch.h"

namespace kshot {

std::vector<std::span<const TaskPlan>> cut_plans(std::span<const TaskPlan> plans, bool batched) {
  std::vector<std::span<const TaskPlan>> pieces;
  size_t first = 0;
  while (first < plans.size()) {
    size_t end = first + 1;
    while (batched && end < plans.size() && plans[end].same_shape(plans[first])) ++end;
    pieces.push_back(plans.subspan(first, end - first));
    first = end;
  }
  return pieces;
}

std::vector<TaskPlan> plans_of(const TaskSource& source, int64_t iteration, int64_t meta_batch) {
  std::vector<TaskPlan> plans;
  plans.reserve(static_cast<size_t>(meta_batch));
  for (int64_t t = 0; t < meta_batch; ++t)
    plans.push_back(source.plan(static_cast<uint64_t>(iteration * meta_batch + t)));
  return plans;
}

}  // namespace kshot
