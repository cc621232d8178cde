#include "framework/model/norm_pool.h"

#include "framework/model/norm_pool_passes.h"

namespace kshot {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// scale = gamma / sqrt(variance + eps), shift = beta - mean scale: [C] or [T,C].
std::pair<Tensor, Tensor> scale_and_shift(const Tensor& mean, const Tensor& variance,
                                          const Tensor& gamma, const Tensor& beta, double eps) {
  Tensor scale = torch::rsqrt(variance + eps);
  if (gamma.defined()) scale = scale * gamma;
  Tensor shift = -mean * scale;
  if (beta.defined()) shift = shift + beta;
  return {scale, shift};
}

/// [T,C] as the parameter was given: its own, or summed over the tasks that shared it.
Tensor shaped_like(const Tensor& gradient, const Tensor& param) {
  if (!param.defined()) return {};
  return param.dim() == 2 ? gradient : gradient.sum(0);
}

/// Batch statistics. u: [T*N,C,H,W], channels-last. Answers y, mean (of u plus the bias that was
/// left out) and variance.
class BatchNormPool : public torch::autograd::Function<BatchNormPool> {
 public:
  using Optional = std::optional<Tensor>;  // apply() takes no undefined tensors

  static variable_list forward(AutogradContext* context, const Tensor& u,
                               const Optional& given_gamma, const Optional& given_beta,
                               const Optional& given_bias, int64_t tasks, double eps, bool pool,
                               double slope, bool keep) {
    const Tensor gamma = given_gamma.value_or(Tensor()), beta = given_beta.value_or(Tensor()),
                 bias = given_bias.value_or(Tensor());
    const TaskImages images(u, tasks, pool);
    const auto [mean, variance] = moments_of(u, images);
    const auto [scale, shift] = scale_and_shift(mean, variance, gamma, beta, eps);
    const Passed passed = pass_forward(u, images, scale, shift, slope, keep);
    context->save_for_backward(
        {u, gamma, beta, passed.chosen, passed.choice, mean, torch::rsqrt(variance + eps), bias});
    context->saved_data["tasks"] = tasks;
    context->saved_data["eps"] = eps;
    context->saved_data["pool"] = pool;
    context->saved_data["slope"] = slope;
    const Tensor met = bias.defined() ? mean + bias : mean;
    context->mark_non_differentiable({met, variance});
    return {passed.y, met, variance};
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    variable_list result(kInputs);
    const Tensor& gy = gradients[0];
    if (!gy.defined()) return result;
    const variable_list saved = context->get_saved_variables();
    if (saved[7].defined()) result[3] = torch::zeros_like(saved[7]);
    const Tensor &u = saved[0], &gamma = saved[1], &beta = saved[2];
    const int64_t tasks = context->saved_data["tasks"].toInt();
    const PoolAndActivation then{.pool = context->saved_data["pool"].toBool(),
                                 .slope = context->saved_data["slope"].toDouble()};
    if (torch::GradMode::is_enabled()) {  // this pass is itself to be differentiated
      add_differentiable(result, gy, {u, gamma, beta}, tasks, context->saved_data["eps"].toDouble(),
                         then);
      return result;
    }
    const Tensor dense = gy.contiguous(at::MemoryFormat::ChannelsLast);
    const NormGradients found =
        pass_backward(dense, {.y = {}, .chosen = saved[3], .choice = saved[4]}, u,
                      TaskImages(u, tasks, then.pool), saved[5], saved[6], gamma, then.slope);
    result[0] = found.u;
    result[1] = shaped_like(found.gamma, gamma);
    result[2] = shaped_like(found.beta, beta);
    return result;
  }

 private:
  static constexpr size_t kInputs = 9;

  /// Gradients of u, gamma and beta that are part of the graph themselves.
  static void add_differentiable(variable_list& result, const Tensor& gy,
                                 const variable_list& inputs, int64_t tasks, double eps,
                                 const PoolAndActivation& then) {
    variable_list wanted;
    std::vector<size_t> places;
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (!inputs[i].defined() || !inputs[i].requires_grad()) continue;
      wanted.push_back(inputs[i]);
      places.push_back(i);
    }
    const Tensor& u = inputs[0];
    NormParams params;
    params.gamma = inputs[1];
    params.beta = inputs[2];
    params.eps = eps;
    Forward forward{.norm = NormMode::batch};
    const Tensor y =
        norm_pool_plain(u.unflatten(0, {tasks, u.size(0) / tasks}), params, then, forward);
    const variable_list found =
        torch::autograd::grad({y}, wanted, {gy.view_as(y)}, /*retain_graph=*/true,
                              /*create_graph=*/true, /*allow_unused=*/true);
    for (size_t i = 0; i < places.size(); ++i) result[places[i]] = found[i];
  }
};

BatchNormPool::Optional if_defined(const Tensor& tensor) {
  return tensor.defined() ? BatchNormPool::Optional(tensor) : std::nullopt;
}

bool wants_gradient(const Tensor& tensor) {
  return torch::GradMode::is_enabled() && tensor.defined() && tensor.requires_grad();
}

bool wants_gradient(const Tensor& u, const NormParams& params) {
  return wants_gradient(u) || wants_gradient(params.gamma) || wants_gradient(params.beta);
}

/// The statistics that a fixed mode normalises by; undefined where `given` has none for the layer.
std::pair<Tensor, Tensor> fixed_statistics(const NormParams& params, const Forward& forward) {
  if (forward.norm == NormMode::running) return {params.running_mean, params.running_var};
  if (forward.given == nullptr) return {};
  for (const LayerStatistics& layer : *forward.given) {
    if (layer.layer == params.layer) return {layer.mean, layer.variance};
  }
  return {};
}

}  // namespace

bool norm_pool_covers(const Tensor& u, const NormParams& params, const Forward& forward) {
  if (!u.device().is_cpu() || u.dim() != 5 || u.numel() == 0) return false;
  if (u.scalar_type() != torch::kFloat && u.scalar_type() != torch::kDouble) return false;
  if (forward.norm == NormMode::batch) return !forward.differentiable_met;
  const auto [mean, variance] = fixed_statistics(params, forward);
  return mean.defined() && !wants_gradient(u, params) && !wants_gradient(mean) &&
         !wants_gradient(variance);
}

Tensor norm_pool(const Tensor& u, const NormParams& params, const PoolAndActivation& then,
                 Forward& forward, const Tensor& left_out) {
  const int64_t tasks = u.size(0), images = u.size(1);
  // Made channels-last out here: a copy inside the function would lose its link to the graph.
  const Tensor flat = u.flatten(0, 1).contiguous(at::MemoryFormat::ChannelsLast);
  if (forward.norm == NormMode::batch) {
    const variable_list found = BatchNormPool::apply(
        flat, if_defined(params.gamma), if_defined(params.beta), if_defined(left_out), tasks,
        params.eps, then.pool, then.slope, wants_gradient(u, params) || wants_gradient(left_out));
    if (forward.met != nullptr) {
      forward.met->push_back({params.layer, found[1], found[2], images * u.size(3) * u.size(4)});
    }
    return found[0].unflatten(0, {tasks, images});
  }
  const auto [mean, variance] = fixed_statistics(params, forward);
  const auto [scale, shift] =
      scale_and_shift(mean, variance, params.gamma, params.beta, params.eps);
  return pass_forward(flat, TaskImages(flat, tasks, then.pool), scale, shift, then.slope,
                      /*keep=*/false)
      .y.unflatten(0, {tasks, images});
}

Tensor norm_pool_plain(const Tensor& u, const NormParams& params, const PoolAndActivation& then,
                       Forward& forward) {
  Tensor y = batch_norm(u, params, forward);
  if (then.pool) y = max_pool2(y);
  if (then.slope == 1) return y;
  return then.slope == 0 ? torch::relu(y) : torch::leaky_relu(y, then.slope);
}

}  // namespace kshot
