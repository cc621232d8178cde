#pragma once

#include <memory>
#include <utility>

#include "framework/run/episode.h"

namespace kshot {

/// A fixed list of training tasks, as MAML's reference code uses: the first `count` plans of
/// another source, over and over.
class FixedTasks final : public TaskSource {
 public:
  FixedTasks(std::shared_ptr<const TaskSource> source, uint64_t count)
      : source_(std::move(source)), count_(count) {}

  TaskPlan plan(uint64_t index) const override { return source_->plan(index % count_); }
  Episodes load(std::span<const TaskPlan> plans) const override { return source_->load(plans); }
  Shapes shapes() const override { return source_->shapes(); }
  const std::vector<TaskClass>& classes() const override { return source_->classes(); }
  TaskKind kind() const override { return source_->kind(); }

 private:
  std::shared_ptr<const TaskSource> source_;
  uint64_t count_;
};

}  // namespace kshot
