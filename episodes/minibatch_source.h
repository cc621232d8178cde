#pragma once

#include <string>
#include <vector>

#include "datasets/class_index.h"
#include "framework/run/episode.h"

namespace kshot {

/// Minibatches over all classes of a split, as tasks without a support set: plan(i) is batch i,
/// counted through the epochs. Each epoch visits every image once in an order of its own; a last,
/// smaller batch is left out so that all shapes are equal.
class MinibatchSource final : public TaskSource {
 public:
  /// Throws Error(bad_spec) where the split has fewer images than a batch.
  MinibatchSource(DatasetPtr dataset, const DatasetView& view,
                  const std::vector<std::string>& splits, int64_t batch, uint64_t seed);

  TaskPlan plan(uint64_t index) const override;
  Episodes load(std::span<const TaskPlan> plans) const override;
  Shapes shapes() const override;
  const std::vector<TaskClass>& classes() const override { return classes_; }
  int64_t batches_per_epoch() const;

 private:
  struct Image {
    int64_t row, label;
  };

  DatasetPtr dataset_;
  DatasetView view_;
  std::vector<IndexedClass> index_;
  std::vector<TaskClass> classes_;
  std::vector<Image> images_;
  int64_t batch_;
  uint64_t seed_;
};

}  // namespace kshot
