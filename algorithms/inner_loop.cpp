#include "algorithms/inner_loop.h"

#include "algorithms/network.h"
#include "framework/model/initialise.h"

namespace kshot {

void InnerLoopOptions::describe_shared(Fields& fields, const std::string& lr_help) {
  fields.option("inner_lr", inner_lr, {.help = lr_help, .symbol = "α", .min = 0, .max = 1000});
  fields.option("inner_steps", inner_steps,
                {.help = "gradient steps on the support set in training", .min = 1, .max = 100000});
  fields.option("test_inner_steps", test_inner_steps,
                {.help = "the same at validation and test; as in training where absent",
                 .min = 0,
                 .max = 100000});
  fields.option("batch_norm", batch_norm, batch_norm_option());
  fields.option("head_init", head_init,
                {.help = "initial weights of the linear head", .one_of = initial_schemes()});
}

bool Adapting::operator()(const Param& param) const {
  if (param.role != Role::learnable) return false;
  const bool head = param.name.starts_with("head."), body = param.name.starts_with("backbone.");
  if (!head && !body) return false;  // an algorithm's own learnables: step sizes and their like
  if (!norms && param.name.find(".norm.") != std::string::npos) return false;
  return what == "all" || (what == "head" ? head : body);
}

ParamList one_copy_per_task(const ParamList& weights, const Adapting& adapting, int64_t tasks) {
  ParamList result = weights;
  for (Param& param : result) {
    if (!adapting(param)) continue;
    std::vector<int64_t> shape = param.value.sizes().vec();
    shape.insert(shape.begin(), tasks);
    param.value = param.value.expand(shape);
  }
  return result;
}

ParamList descend(const ParamList& params, const Adapting& adapting, const Tensor& losses,
                  const Update& update, bool second_order) {
  std::vector<Tensor> values;
  for (const Param& param : params) {
    if (adapting(param)) values.push_back(param.value);
  }
  const std::vector<Tensor> gradients =
      torch::autograd::grad({losses.sum()}, values, /*grad_outputs=*/{},
                            /*retain_graph=*/second_order, /*create_graph=*/second_order,
                            /*allow_unused=*/true);
  ParamList result = params;
  size_t next = 0;
  for (Param& param : result) {
    if (!adapting(param)) continue;
    const Tensor& gradient = gradients[next++];
    if (gradient.defined()) param.value = update(param, gradient);
  }
  return result;
}

ParamList cut_off(const ParamList& params, const Adapting& adapting) {
  ParamList result = params;
  for (Param& param : result) {
    param.value = param.value.detach();
    if (adapting(param)) param.value.requires_grad_(true);
  }
  return result;
}

}  // namespace kshot
