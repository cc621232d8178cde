#pragma once

#include <functional>
#include <optional>
#include <string>

#include "framework/run/algorithm.h"

/// Adaptation by gradient, in small pieces; each algorithm writes its own loop.
namespace kshot {

/// The options that methods share which take gradient steps on the support set.
struct InnerLoopOptions {
  double inner_lr = 0.01;
  int64_t inner_steps = 5;
  std::optional<int64_t> test_inner_steps;
  std::string batch_norm = "transductive";
  std::string head_init = "pytorch";

  void describe_shared(Fields& fields, const std::string& lr_help = "step size of adaptation");
  int64_t steps_at_test() const { return test_inner_steps.value_or(inner_steps); }
};

/// Which learnables adapt to a task.
struct Adapting {
  std::string what = "all";  ///< all, head or body
  bool norms = true;         ///< batch norm's scale and shift adapt too

  bool operator()(const Param& param) const;
};

/// The weights at the start of adaptation: one copy a task, [T,...], of what adapts; the rest is
/// shared. Views: gradients with respect to a copy are one task's alone.
ParamList one_copy_per_task(const ParamList& weights, const Adapting& adapting, int64_t tasks);

/// The new value of one parameter from its gradient; both [T,...].
using Update = std::function<Tensor(const Param& param, const Tensor& gradient)>;

/// One step of gradient descent on the tasks' losses [T]: what adapts gets the value that `update`
/// says. With `second_order` the gradients stay part of the graph; without it they are constants,
/// and the losses' graph is freed.
ParamList descend(const ParamList& params, const Adapting& adapting, const Tensor& losses,
                  const Update& update, bool second_order);

/// The same values, as the start of a new graph: for adaptation that nobody differentiates.
ParamList cut_off(const ParamList& params, const Adapting& adapting);

}  // namespace kshot
