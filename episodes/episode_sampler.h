#pragma once

#include <memory>
#include <string>
#include <vector>

#include "datasets/class_index.h"
#include "framework/run/episode.h"
#include "framework/run/episode_shape.h"

namespace kshot {

/// Draws tasks of one shape from the classes of a split. Task i is a function of (seed, purpose,
/// data, split, shape, i) alone. Classes are drawn without replacement in random order, so a label
/// says nothing about a class; support and query images of a class are different images.
class EpisodeSampler final : public TaskSource {
 public:
  /// Throws Error(bad_spec) where the split has too few classes, or a class too few images; the
  /// message says what would fit.
  EpisodeSampler(DatasetPtr dataset, const DatasetView& view, const EpisodeShape& shape,
                 const EpisodeStream& stream);

  TaskPlan plan(uint64_t index) const override;
  Episodes load(std::span<const TaskPlan> plans) const override;
  Shapes shapes() const override;
  const std::vector<TaskClass>& classes() const override { return classes_; }

 private:
  DatasetPtr dataset_;
  DatasetView view_;
  EpisodeShape shape_;
  std::vector<IndexedClass> index_;
  std::vector<TaskClass> classes_;
  uint64_t key_;
  Purpose purpose_;
};

}  // namespace kshot
