#include "episodes/task_loading.h"

namespace kshot {
namespace {

/// Turns each image of [n,C,H,W] by its own number of quarter turns, in place.
void turn_images(Tensor& images, const std::vector<int>& quarter_turns) {
  for (size_t i = 0; i < quarter_turns.size(); ++i) {
    if (quarter_turns[i] == 0) continue;
    Tensor image = images[static_cast<int64_t>(i)];
    image.copy_(torch::rot90(image, quarter_turns[i], {-2, -1}).clone());
  }
}

struct Part {
  std::vector<int64_t> rows, labels;
  std::vector<int> quarter_turns;

  void add(const TaskPlan& plan, const std::vector<int64_t>& plan_rows,
           const std::vector<int64_t>& plan_labels, const std::vector<IndexedClass>& index) {
    for (size_t i = 0; i < plan_rows.size(); ++i) {
      const int64_t entry = plan.classes[static_cast<size_t>(plan_labels[i])];
      rows.push_back(plan_rows[i]);
      labels.push_back(plan_labels[i]);
      quarter_turns.push_back(index[static_cast<size_t>(entry)].quarter_turns);
    }
  }

  Labelled load(const Dataset& dataset, const DatasetView& view, int64_t tasks) const {
    Tensor samples = dataset.load(rows);
    turn_images(samples, quarter_turns);
    const int64_t images = static_cast<int64_t>(rows.size()) / tasks;
    return {to_input(samples, view).unflatten(0, {tasks, images}),
            torch::tensor(labels, torch::kLong).view({tasks, images})};
  }
};

}  // namespace

std::vector<TaskClass> task_classes(const std::vector<IndexedClass>& index) {
  std::vector<TaskClass> classes;
  classes.reserve(index.size());
  for (const IndexedClass& entry : index) classes.push_back({entry.name, entry.source});
  return classes;
}

Episodes load_tasks(const Dataset& dataset, const DatasetView& view,
                    const std::vector<IndexedClass>& index, std::span<const TaskPlan> plans) {
  Part support, query;
  for (const TaskPlan& plan : plans) {
    TORCH_CHECK(plan.same_shape(plans[0]), "load: plans of unequal shape");
    support.add(plan, plan.support, plan.support_labels, index);
    query.add(plan, plan.query, plan.query_labels, index);
  }
  const auto tasks = static_cast<int64_t>(plans.size());
  return {support.load(dataset, view, tasks), query.load(dataset, view, tasks), plans[0].outputs,
          std::vector<TaskPlan>(plans.begin(), plans.end())};
}

}  // namespace kshot
