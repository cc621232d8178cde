#include "framework/run/outer_step.h"

#include <cmath>

#include "framework/base/error.h"

namespace kshot {
namespace {

void check_finite(const Tensor& losses, int64_t iteration) {
  const Tensor bad = (~torch::isfinite(losses)).nonzero();
  if (bad.size(0) == 0) return;
  const auto task = bad[0][0].item<int64_t>(), step = bad[0][1].item<int64_t>();
  throw Error(Exit::diverged,
              "training diverged at iteration {}: the loss of task {} at inner step {} is {}",
              iteration + 1, task, step, losses[task][step].item<double>());
}

void clip(ParamList& gradients, const TrainOptions& options) {
  if (options.clip_value) {
    for (Param& gradient : gradients)
      gradient.value.clamp_(-*options.clip_value, *options.clip_value);
  }
  if (!options.clip_norm) return;
  double squares = 0;
  for (const Param& gradient : gradients)
    squares += gradient.value.to(torch::kDouble).square().sum().item<double>();
  const double norm = std::sqrt(squares);
  if (norm <= *options.clip_norm) return;
  for (Param& gradient : gradients) gradient.value.mul_(*options.clip_norm / norm);
}

void follow(const ParamList& weights, const ParamList& statistics, double momentum) {
  for (const Param& met : statistics) {
    const Param* param = weights.find(met.name);
    if (param != nullptr && param->role == Role::constant) continue;  // a frozen layer's
    const Tensor& buffer = weights[met.name];
    for (int64_t t = 0; t < met.value.size(0); ++t) {
      buffer.lerp_(met.value[t].to(buffer.options()), momentum);
    }
  }
}

}  // namespace

void take_outer_step(TaskGradients& learned, const ParamList& weights, Optimizer& optimizer,
                     const Context& context, const TrainOptions& options) {
  check_finite(learned.losses, context.iteration);
  const torch::NoGradGuard no_grad;
  const auto tasks = static_cast<double>(learned.losses.size(0));
  for (Param& gradient : learned.gradients) gradient.value.div_(tasks);
  clip(learned.gradients, options);
  optimizer.step(learned.gradients, context.iteration, context.iterations);
  follow(weights, learned.statistics, options.statistics_momentum);
}

}  // namespace kshot
