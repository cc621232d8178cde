#include "framework/model/norm_pool.h"

#include <torch/csrc/autograd/custom_function.h>

#include "framework/model/affine_pool.h"
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

using Optional = std::optional<Tensor>;  // apply() takes no undefined tensors

Optional if_defined(const Tensor& tensor) {
  return tensor.defined() ? Optional(tensor) : std::nullopt;
}

/// How one call goes, as functions of the graph keep it.
struct How {
  int64_t tasks;
  double eps;
  PoolAndActivation then;

  void keep(AutogradContext* context) const {
    context->saved_data["tasks"] = tasks;
    context->saved_data["eps"] = eps;
    context->saved_data["pool"] = then.pool;
    context->saved_data["slope"] = then.slope;
  }
  static How kept(AutogradContext* context) {
    return {context->saved_data["tasks"].toInt(),
            context->saved_data["eps"].toDouble(),
            {.pool = context->saved_data["pool"].toBool(),
             .slope = context->saved_data["slope"].toDouble()}};
  }
};

/// What a forward pass leaves for the passes back; functions of u that the formulas account for.
struct Kept {
  Tensor choice, mean, inv;
};

/// The gradients of u, gamma and beta for the gradient gy of the outputs by the plain composition,
/// part of the graph themselves: for derivatives beyond the second.
variable_list plain_gradients(const variable_list& inputs, const Tensor& gy, const How& how) {
  variable_list wanted, result(inputs.size());
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
  params.eps = how.eps;
  Forward forward{.norm = NormMode::batch};
  const Tensor y = norm_pool_plain(u.unflatten(0, {how.tasks, u.size(0) / how.tasks}), params,
                                   how.then, forward);
  const variable_list found =
      torch::autograd::grad({y}, wanted, {gy.view_as(y)}, /*retain_graph=*/true,
                            /*create_graph=*/true, /*allow_unused=*/true);
  for (size_t i = 0; i < places.size(); ++i) result[places[i]] = found[i];
  return result;
}

/// The gradients of u, gamma and beta ([T,C] each for the latter two), for the gradient gy of the
/// outputs: a function of gy, u and gamma.
class NormPoolGradient : public torch::autograd::Function<NormPoolGradient> {
 public:
  static variable_list forward(AutogradContext* context, const Tensor& gy, const Tensor& u,
                               const Optional& given_gamma, const Tensor& beta, const Kept& kept,
                               const How& how) {
    const Tensor gamma = given_gamma.value_or(Tensor());
    const NormGradients found =
        pass_backward(gy, kept.choice, u, TaskImages(u, how.tasks, how.then.pool), kept.mean,
                      kept.inv, gamma, how.then.slope);
    context->save_for_backward(
        {gy, u, gamma, beta, kept.choice, kept.mean, kept.inv, found.gamma, found.beta});
    how.keep(context);
    return {found.u, found.gamma, found.beta};
  }

  static variable_list backward(AutogradContext* context, const variable_list& cotangents) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &gy = saved[0], &u = saved[1], &gamma = saved[2], &mean = saved[5];
    const How how = How::kept(context);
    if (torch::GradMode::is_enabled()) return through_plain(saved, cotangents, how);
    variable_list result(kInputs);
    const auto or_zeros = [](const Tensor& cotangent, const Tensor& like) {
      return cotangent.defined() ? cotangent.contiguous() : torch::zeros_like(like);
    };
    const Tensor a = cotangents[0].defined()
                         ? cotangents[0].contiguous(at::MemoryFormat::ChannelsLast)
                         : torch::zeros_like(u);
    const NormSecond found = pass_second(
        {.u = a, .gamma = or_zeros(cotangents[1], mean), .beta = or_zeros(cotangents[2], mean)}, gy,
        saved[4], u, TaskImages(u, how.tasks, how.then.pool), mean, saved[6], gamma,
        {.u = {}, .gamma = saved[7], .beta = saved[8]}, how.then.slope);
    result[0] = found.gy;
    result[1] = found.u;
    if (gamma.defined()) result[2] = found.gamma;
    return result;
  }

 private:
  static constexpr size_t kInputs = 6;

  /// A third derivative: the plain composition's gradients, differentiated. They are linear in the
  /// cotangents, so those need no more than this.
  static variable_list through_plain(const variable_list& saved, const variable_list& cotangents,
                                     const How& how) {
    // Partial derivatives: by aliases, as gy's own history leads to u and gamma too.
    variable_list alias(3), inputs, outputs, given, result(kInputs);
    std::vector<size_t> places;
    for (const size_t i : {0, 1, 2}) {  // gy, u, gamma
      if (!saved[i].defined()) continue;
      alias[i] = saved[i].view_as(saved[i]);
      if (!saved[i].requires_grad()) continue;
      inputs.push_back(alias[i]);
      places.push_back(i);
    }
    const Tensor beta = saved[3].detach().requires_grad_(true);
    const variable_list first = plain_gradients({alias[1], alias[2], beta}, alias[0], how);
    for (size_t i = 0; i < first.size(); ++i) {
      if (!first[i].defined() || !first[i].requires_grad() || !cotangents[i].defined()) continue;
      outputs.push_back(first[i]);
      given.push_back(cotangents[i].view_as(first[i]));
    }
    if (outputs.empty() || inputs.empty()) return result;
    const variable_list found =
        torch::autograd::grad(outputs, inputs, given, /*retain_graph=*/true, /*create_graph=*/true,
                              /*allow_unused=*/true);
    for (size_t i = 0; i < places.size(); ++i) result[places[i]] = found[i];
    return result;
  }
};

/// Batch statistics. u: [T*N,C,H,W], channels-last. Answers y, mean (of u plus the bias that was
/// left out) and variance.
class BatchNormPool : public torch::autograd::Function<BatchNormPool> {
 public:
  static variable_list forward(AutogradContext* context, const Tensor& u,
                               const Optional& given_gamma, const Optional& given_beta,
                               const Optional& given_bias, const How& how, bool keep) {
    const Tensor gamma = given_gamma.value_or(Tensor()), beta = given_beta.value_or(Tensor()),
                 bias = given_bias.value_or(Tensor());
    const TaskImages images(u, how.tasks, how.then.pool);
    const auto [mean, variance] = moments_of(u, images);
    const auto [scale, shift] = scale_and_shift(mean, variance, gamma, beta, how.eps);
    const Passed passed = pass_forward(u, images, scale, shift, how.then.slope, keep);
    context->save_for_backward(
        {u, gamma, beta, bias, passed.choice, mean, torch::rsqrt(variance + how.eps)});
    how.keep(context);
    const Tensor met = bias.defined() ? mean + bias : mean;
    context->mark_non_differentiable({met, variance});
    return {passed.y, met, variance};
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    variable_list result(kInputs);
    if (!gradients[0].defined()) return result;
    const variable_list saved = context->get_saved_variables();
    const Tensor &u = saved[0], &gamma = saved[1], &beta = saved[2], &bias = saved[3];
    const How how = How::kept(context);
    // Made dense, and gamma one for each task, out here: a copy inside the function would lose its
    // link to the graph.
    const Tensor gy = gradients[0].contiguous(at::MemoryFormat::ChannelsLast);
    const auto per_task = [&](const Tensor& param) {
      return param.expand({how.tasks, -1}).contiguous();
    };
    const Tensor shift = beta.defined() ? per_task(beta).detach() : torch::zeros_like(saved[5]);
    const variable_list found =
        NormPoolGradient::apply(gy, u, gamma.defined() ? Optional(per_task(gamma)) : std::nullopt,
                                shift, Kept{saved[4], saved[5], saved[6]}, how);
    result[0] = found[0];
    result[1] = shaped_like(found[1], gamma);
    result[2] = shaped_like(found[2], beta);
    if (bias.defined()) result[3] = torch::zeros_like(bias);
    return result;
  }

 private:
  static constexpr size_t kInputs = 6;
};

bool wants_gradient(const Tensor& tensor) {
  return torch::GradMode::is_enabled() && tensor.defined() && tensor.requires_grad();
}

bool wants_gradient(const Tensor& u, const NormParams& params) {
  return wants_gradient(u) || wants_gradient(params.gamma) || wants_gradient(params.beta);
}

/// Batch statistics that nobody differentiates by themselves.
Tensor norm_pool_by_batch(const Tensor& u, const NormParams& params, const PoolAndActivation& then,
                          Forward& forward, const Tensor& left_out) {
  const int64_t tasks = u.size(0), images = u.size(1);
  // Made channels-last out here: a copy inside the function would lose its link to the graph.
  const variable_list found = BatchNormPool::apply(
      u.flatten(0, 1).contiguous(at::MemoryFormat::ChannelsLast), if_defined(params.gamma),
      if_defined(params.beta), if_defined(left_out), How{tasks, params.eps, then},
      wants_gradient(u, params) || wants_gradient(left_out));
  if (forward.met != nullptr) {
    forward.met->push_back({params.layer, found[1], found[2], images * u.size(3) * u.size(4)});
  }
  return found[0].unflatten(0, {tasks, images});
}

}  // namespace

bool norm_pool_covers(const Tensor& u) {
  return u.device().is_cpu() && u.dim() == 5 && u.numel() > 0 &&
         (u.scalar_type() == torch::kFloat || u.scalar_type() == torch::kDouble);
}

Tensor norm_pool(const Tensor& u, const NormParams& params, const PoolAndActivation& then,
                 Forward& forward, const Tensor& left_out) {
  if (forward.norm == NormMode::batch && !forward.differentiable_met)
    return norm_pool_by_batch(u, params, then, forward, left_out);
  auto [mean, variance] = norm_statistics(u, params, forward);
  if (left_out.defined()) {
    if (forward.norm != NormMode::batch) {
      mean = mean - left_out;
    } else if (forward.met != nullptr) {
      forward.met->back().mean = mean + left_out;
    }
  }
  const auto [scale, shift] =
      scale_and_shift(mean, variance, params.gamma, params.beta, params.eps);
  return affine_pool(u, scale, shift, then);
}

Tensor norm_pool_plain(const Tensor& u, const NormParams& params, const PoolAndActivation& then,
                       Forward& forward) {
  Tensor y = batch_norm(u, params, forward);
  if (then.pool) y = max_pool2(y);
  if (then.slope == 1) return y;
  return then.slope == 0 ? torch::relu(y) : torch::leaky_relu(y, then.slope);
}

}  // namespace kshot
