#include "episodes/minibatch_source.h"

#include <numeric>

#include "episodes/task_loading.h"
#include "framework/base/error.h"

namespace kshot {

MinibatchSource::MinibatchSource(DatasetPtr dataset, const DatasetView& view,
                                 const std::vector<std::string>& splits, int64_t batch,
                                 uint64_t seed)
    : dataset_(std::move(dataset)),
      view_(view),
      index_(index_classes(dataset_->manifest(), view, splits)),
      classes_(task_classes(index_)),
      batch_(batch),
      seed_(seed) {
  for (size_t label = 0; label < index_.size(); ++label) {
    for (const int64_t row : index_[label].rows) {
      images_.push_back({row, static_cast<int64_t>(label)});
    }
  }
  if (batches_per_epoch() < 1) {
    throw Error(Exit::bad_spec, "episodes.train.batch is {}, but split \"{}\" has only {} images",
                batch, fmt::join(splits, "+"), images_.size());
  }
}

int64_t MinibatchSource::batches_per_epoch() const {
  return static_cast<int64_t>(images_.size()) / batch_;
}

TaskPlan MinibatchSource::plan(uint64_t index) const {
  const auto per_epoch = static_cast<uint64_t>(batches_per_epoch());
  const uint64_t epoch = index / per_epoch;
  // The epoch's order is drawn again for each batch: a plan has no memory.
  const auto order =
      Stream(seed_, Purpose::minibatches, epoch).permutation(static_cast<int64_t>(images_.size()));
  TaskPlan plan;
  plan.index = index;
  plan.outputs = static_cast<int64_t>(index_.size());
  plan.classes.resize(index_.size());
  std::iota(plan.classes.begin(), plan.classes.end(), int64_t{0});
  const auto first = static_cast<int64_t>(index % per_epoch) * batch_;
  for (int64_t i = first; i < first + batch_; ++i) {
    const Image& image = images_[static_cast<size_t>(order[static_cast<size_t>(i)])];
    plan.query.push_back(image.row);
    plan.query_labels.push_back(image.label);
  }
  return plan;
}

Episodes MinibatchSource::load(std::span<const TaskPlan> plans) const {
  return load_tasks(*dataset_, view_, index_, plans);
}

Shapes MinibatchSource::shapes() const {
  return {dataset_->manifest().shape, static_cast<int64_t>(index_.size())};
}

}  // namespace kshot
