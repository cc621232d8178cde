#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "framework/model/backbone.h"

namespace kshot {

/// What a task asks for: labels of classes, or numbers.
enum class TaskKind { classification, regression };

/// What one task consists of, before any pixel is read. The sha256 of an episode set is over plans.
struct TaskPlan {
  uint64_t index = 0;
  int64_t outputs = 0;           ///< way, all base classes for a minibatch, or D for a regression
  std::vector<int64_t> classes;  ///< entry of TaskSource::classes() behind each label
  std::vector<int64_t> support, query;  ///< sample ids (rows of the data set), in order
  std::vector<int64_t> support_labels, query_labels;  ///< in [0, outputs); a regression has none
  /// What a drawn task was drawn as; its data set says what they mean. Absent where samples say
  /// all. Nothing that a mathematical library rounds: the sha256 is to be the same on every
  /// machine.
  std::vector<double> values;

  /// Tasks of equal shape can be loaded side by side.
  bool same_shape(const TaskPlan& other) const {
    return outputs == other.outputs && support.size() == other.support.size() &&
           query.size() == other.query.size();
  }
  bool operator==(const TaskPlan&) const = default;
};

struct Labelled {
  Tensor inputs;   ///< [T,N,C,H,W] float, or any [T,N,...]
  Tensor targets;  ///< [T,N] int64 in [0, outputs), or [T,N,D] float for a regression
};

/// T tasks of equal shape.
struct Episodes {
  Labelled support, query;
  int64_t outputs = 0;
  std::vector<TaskPlan> plans;

  int64_t tasks() const { return query.inputs.size(0); }
  /// Tasks [first, first + count), sharing memory.
  Episodes slice(int64_t first, int64_t count) const;
  Episodes to(const torch::Device& device, torch::Dtype dtype) const;
};

/// A class that tasks are made of. A class and its rotations have the same `source`: they are one
/// unit for statistics over classes.
struct TaskClass {
  std::string name;
  int64_t source = 0;
};

/// Where tasks come from. plan() is pure: no pixels, no state, the same for every algorithm,
/// thread count and resume.
class TaskSource {
 public:
  virtual ~TaskSource() = default;
  virtual TaskPlan plan(uint64_t index) const = 0;
  /// Float inputs on the CPU. The plans must have equal shapes.
  virtual Episodes load(std::span<const TaskPlan> plans) const = 0;
  virtual Shapes shapes() const = 0;
  virtual const std::vector<TaskClass>& classes() const = 0;
  virtual TaskKind kind() const { return TaskKind::classification; }
};

/// The sha256 of the plans [0, count): two runs with equal hashes met the same tasks.
std::string plans_sha256(const TaskSource& source, int64_t count);

}  // namespace kshot
