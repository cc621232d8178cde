#include "framework/run/algorithm.h"

namespace kshot {

Tensor task_cross_entropy(const Tensor& logits, const Tensor& targets) {
  const Tensor log_probability = torch::log_softmax(logits, -1);
  return -log_probability.gather(-1, targets.unsqueeze(-1)).squeeze(-1).mean(-1);
}

Tensor task_mean_squared_error(const Tensor& outputs, const Tensor& targets) {
  return (outputs - targets).square().mean({1, 2});
}

Tensor task_loss(const Tensor& outputs, const Tensor& targets) {
  return targets.is_floating_point() ? task_mean_squared_error(outputs, targets)
                                     : task_cross_entropy(outputs, targets);
}

Tensor task_accuracy(const Tensor& logits, const Tensor& targets) {
  if (targets.is_floating_point()) return {};
  return (logits.detach().argmax(-1) == targets).to(torch::kFloat).mean(-1);
}

ParamList gradients_of(const Tensor& loss, const ParamList& leaves) {
  ParamList learnable = leaves.with_role(Role::learnable);
  if (learnable.empty()) return learnable;
  std::vector<Tensor> gradients =
      torch::autograd::grad({loss}, learnable.values(), /*grad_outputs=*/{},
                            /*retain_graph=*/false, /*create_graph=*/false, /*allow_unused=*/true);
  for (size_t i = 0; i < gradients.size(); ++i) {
    if (!gradients[i].defined()) gradients[i] = torch::zeros_like(learnable.at(i).value);
    gradients[i] = gradients[i].detach();
  }
  return learnable.with_values(gradients);
}

}  // namespace kshot
