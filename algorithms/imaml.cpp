// Implicit MAML. Rajeswaran, Finn, Kakade, Levine: "Meta-learning with implicit gradients",
// NeurIPS 2019.
//
// A task's weights phi minimise L_support(phi) + lambda/2 |phi - theta|^2. At the minimum the outer
// gradient follows from the implicit function theorem, whatever steps led there:
//   d L_query(phi) / d theta = (I + H / lambda)^-1 grad L_query(phi),  H = Hessian of L_support at
//   phi,
// which conjugate gradients solve by products with H alone. Memory does not grow with the number of
// inner steps.
//
// Differences from the reference code (aravindr93/imaml_dev):
// 1. There lambda is raised by a damping of 10 inside the solver; here `cg_damping` says by how
//    much, 0 by default: the equation above.
// 2. There the inner problem is solved by Adam or SGD steps on the whole support set; here by plain
//    gradient descent.
#include "algorithms/inner_loop.h"
#include "algorithms/network.h"

namespace kshot {
namespace {

struct ImamlOptions : InnerLoopOptions {
  double strength = 2;
  int64_t cg_steps = 5;
  double cg_damping = 0;

  ImamlOptions() { inner_steps = 16; }

  void describe(Fields& fields) {
    describe_shared(fields);
    fields.option("strength", strength,
                  {.help = "pull of the common weights on a task's", .symbol = "λ", .min = 1e-9});
    fields.option("cg_steps", cg_steps,
                  {.help = "steps of conjugate gradients", .min = 1, .max = 10000});
    fields.option("cg_damping", cg_damping,
                  {.help = "added to the strength inside conjugate gradients", .min = 0});
  }
};

/// One value a task: sum over all elements of a b, both lists of [T,...]. -> [T]
Tensor task_dot(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  Tensor sum = torch::zeros({a[0].size(0)}, a[0].options());
  for (size_t i = 0; i < a.size(); ++i) sum = sum + (a[i] * b[i]).flatten(1).sum(1);
  return sum;
}

/// a + scale b, task by task. scale [T].
std::vector<Tensor> add_scaled(const std::vector<Tensor>& a, const Tensor& scale,
                               const std::vector<Tensor>& b) {
  std::vector<Tensor> result;
  for (size_t i = 0; i < a.size(); ++i) {
    std::vector<int64_t> shape(static_cast<size_t>(a[i].dim()), 1);
    shape[0] = scale.size(0);
    result.push_back(a[i] + scale.view(shape) * b[i]);
  }
  return result;
}

/// Conjugate gradients for A x = b in each task by itself, from x = b, A symmetric and positive
/// (Hestenes & Stiefel 1952): every inner product is per task, and a task that has converged stands
/// still.
template <class Product>
std::vector<Tensor> conjugate_gradients(const Product& product, const std::vector<Tensor>& b,
                                        int64_t steps) {
  constexpr double kConverged = 1e-20;  // of |b|^2
  const Tensor enough = task_dot(b, b) * kConverged;
  const Tensor one = torch::ones_like(enough);
  std::vector<Tensor> x = b, r = add_scaled(b, -one, product(x)), p = r;
  Tensor squares = task_dot(r, r);
  for (int64_t step = 0; step < steps; ++step) {
    const Tensor open = squares > enough;
    if (!open.any().item<bool>()) break;
    const auto where_open = [&](const Tensor& over, const Tensor& under) {
      return torch::where(open, over / torch::where(open, under, one), torch::zeros_like(one));
    };
    const std::vector<Tensor> Ap = product(p);
    const Tensor alpha = where_open(squares, task_dot(p, Ap));
    x = add_scaled(x, alpha, p);
    r = add_scaled(r, -alpha, Ap);
    const Tensor next = task_dot(r, r);
    p = add_scaled(r, where_open(next, squares), p);
    squares = next;
  }
  return x;
}

class Imaml final : public Algorithm {
 public:
  using Options = ImamlOptions;

  Imaml(const Options& options, BackbonePtr backbone)
      : options_(options), network_(std::move(backbone), options.head_init) {}

  ParamList init(const Shapes& shapes, Stream stream) const override {
    return network_.init(shapes, stream);
  }

  TaskGradients learn(const ParamList& weights, const Episodes& tasks,
                      const Context&) const override {
    std::vector<Tensor> losses;
    const ParamList adapted = descended(
        weights, tasks.support, options_.inner_steps, /*training=*/true,
        [&](const ParamList&, const Tensor& support) { losses.push_back(support.detach()); });
    NormStatistics met;
    const Tensor outputs = query_outputs(network_, adapted, tasks.query.inputs,
                                         tasks.support.inputs, {options_.batch_norm, true}, &met);
    const Tensor query_losses = task_loss(outputs, tasks.query.targets);
    losses.push_back(query_losses.detach());
    TaskGradients result;
    result.gradients = implicit_gradients(adapted, query_losses, tasks.support);
    result.statistics = network_statistics(met);
    result.losses = torch::stack(losses, 1);
    result.accuracy = task_accuracy(outputs, tasks.query.targets);
    return result;
  }

  std::unique_ptr<Learner> adapt(const ParamList& weights, const Labelled& support,
                                 const Shapes& shapes, const Context&) const override;

  bool transductive() const override { return options_.batch_norm == "transductive"; }
  std::string batch_norm() const override { return options_.batch_norm; }

 private:
  inline static const Adapting kAdapting{};

  Tensor support_losses(const ParamList& params, const Labelled& support, bool training) const {
    Forward forward = support_forward(options_.batch_norm, training);
    return task_loss(network_.outputs(params, support.inputs, forward), support.targets);
  }

  /// phi after `steps` of descent, as leaves. Calls seen(phi, support losses) before each step.
  template <class Seen>
  ParamList descended(const ParamList& weights, const Labelled& support, int64_t steps,
                      bool training, const Seen& seen) const {
    const torch::AutoGradMode with_gradients(true);
    ParamList params =
        cut_off(one_copy_per_task(weights, kAdapting, support.inputs.size(0)), kAdapting);
    for (int64_t step = 0; step < steps; ++step) {
      const Tensor losses = support_losses(params, support, training);
      seen(params, losses);
      const ParamList next = descend(
          params, kAdapting, losses,
          [&](const Param& param, const Tensor& gradient) {
            const Tensor pull = param.value - weights[param.name].detach();
            return param.value.sub(gradient + options_.strength * pull, options_.inner_lr);
          },
          /*second_order=*/false);
      params = cut_off(next, kAdapting);
    }
    return params;
  }

  /// (I + H / lambda)^-1 grad L_query at phi, summed over tasks.
  ParamList implicit_gradients(const ParamList& adapted, const Tensor& query_losses,
                               const Labelled& support) const {
    ParamList learnable = adapted.with_role(Role::learnable);
    const std::vector<Tensor> at = learnable.values();
    const auto or_zeros = [&](std::vector<Tensor> gradients) {
      for (size_t i = 0; i < gradients.size(); ++i) {
        if (!gradients[i].defined()) gradients[i] = torch::zeros_like(at[i]);
      }
      return gradients;
    };
    const auto b =
        or_zeros(torch::autograd::grad({query_losses.sum()}, at, {}, false, false, true));
    const auto slopes = or_zeros(torch::autograd::grad(
        {support_losses(adapted, support, /*training=*/true).sum()}, at, {}, true, true, true));
    std::vector<Tensor> curved, directions;
    const auto product = [&](const std::vector<Tensor>& v) {
      curved.clear();
      directions.clear();
      for (size_t i = 0; i < v.size(); ++i) {
        if (!slopes[i].requires_grad()) continue;
        curved.push_back(slopes[i]);
        directions.push_back(v[i]);
      }
      const auto Hv = or_zeros(torch::autograd::grad(curved, at, directions, true, false, true));
      const double scale = 1 / (options_.strength + options_.cg_damping);
      std::vector<Tensor> result;
      for (size_t i = 0; i < v.size(); ++i) result.push_back(v[i] + scale * Hv[i]);
      return result;
    };
    const auto x = conjugate_gradients(product, b, options_.cg_steps);
    std::vector<Tensor> sums;
    for (const Tensor& of_tasks : x) sums.push_back(of_tasks.detach().sum(0));
    return learnable.with_values(sums);
  }

  Options options_;
  Network network_;
};

std::unique_ptr<Learner> Imaml::adapt(const ParamList& weights, const Labelled& support,
                                      const Shapes& shapes, const Context&) const {
  check_outputs(weights, shapes);
  std::vector<ParamList> by_step;
  const ParamList last = descended(weights, support, options_.steps_at_test(),
                                   /*training=*/false, [&](const ParamList& params, const Tensor&) {
                                     by_step.push_back(params);
                                   });
  by_step.push_back(last);
  return std::make_unique<AdaptedNetwork>(network_, options_.batch_norm, std::move(by_step),
                                          support.inputs);
}

const AlgorithmRegistration kImaml{algorithm_plugin<Imaml>(
    {.name = "imaml",
     .summary = "MAML with implicit gradients: of where adaptation ends, not of how it got there",
     .paper = "Rajeswaran et al. 2019, Meta-learning with implicit gradients",
     .regression = true})};

}  // namespace
}  // namespace kshot
