// Fast context adaptation via meta-learning. Zintgraf, Shiarlis, Kurin, Hofmann, Whiteson: "Fast
// context adaptation via meta-learning", ICML 2019.
//
// The weights of the network are common to all tasks. A task has a short vector phi, zero at first,
// that alone adapts by gradient steps on the support set; it modulates one layer feature by feature
// (FiLM: Perez et al. 2018). The outer gradient trains the network and how phi acts on it, through
// the inner steps.
//
// Differences from the reference code (lmzintgraf/cavia):
// 1. phi acts as (1 + A phi) x + B phi, so that phi = 0 leaves the network as it is; there the
//    scale is A phi + a with a random a.
// 2. In an mlp phi acts on the first hidden layer in the same way; there it is concatenated to the
//    inputs, which is the shift without the scale.
#include "algorithms/inner_loop.h"
#include "algorithms/network.h"
#include "framework/base/error.h"
#include "framework/model/initialise.h"
#include "framework/model/task_ops.h"

namespace kshot {
namespace {

struct CaviaOptions : InnerLoopOptions {
  int64_t context = 100;
  bool second_order = true;

  CaviaOptions() {
    inner_lr = 1;
    inner_steps = 2;
  }

  void describe(Fields& fields) {
    describe_shared(fields);
    fields.option("context", context,
                  {.help = "length of a task's own vector", .symbol = "φ", .min = 1, .max = 10000});
    fields.option("second_order", second_order,
                  {.help = "the outer gradient goes through the inner gradients"});
  }
};

class Cavia final : public Algorithm {
 public:
  using Options = CaviaOptions;

  Cavia(const Options& options, BackbonePtr backbone)
      : options_(options),
        channels_(backbone->film_channels()),
        network_(std::move(backbone), options.head_init) {
    if (channels_ == 0)
      throw Error(Exit::bad_spec, "algorithm cavia needs a backbone with a layer to modulate");
  }

  ParamList init(const Shapes& shapes, Stream stream) const override {
    ParamList weights = network_.init(shapes, stream.split(0));
    weights.add({"film.weight",
                 initial_weight("pytorch", {2 * channels_, options_.context}, stream.split(1))});
    return weights;
  }

  TaskGradients learn(const ParamList& weights, const Episodes& tasks,
                      const Context&) const override {
    const ParamList leaves = weights.attach();
    Tensor context = no_context(leaves, tasks.tasks());
    std::vector<Tensor> losses;
    for (int64_t step = 0; step < options_.inner_steps; ++step) {
      losses.push_back(support_losses(leaves, context, tasks.support, true));
      context = stepped(context, losses.back(), options_.second_order);
    }
    NormStatistics met;
    const Film film = film_of(leaves, context);
    const Tensor outputs = query_outputs(network_, leaves, tasks.query.inputs, tasks.support.inputs,
                                         {options_.batch_norm, true, &film}, &met);
    losses.push_back(task_loss(outputs, tasks.query.targets));
    TaskGradients result;
    result.gradients = gradients_of(losses.back().sum(), leaves);
    result.statistics = network_statistics(met);
    result.losses = torch::stack(losses, 1).detach();
    result.accuracy = task_accuracy(outputs, tasks.query.targets);
    return result;
  }

  std::unique_ptr<Learner> adapt(const ParamList& weights, const Labelled& support,
                                 const Shapes& shapes, const Context&) const override;

  bool transductive() const override { return options_.batch_norm == "transductive"; }
  std::string batch_norm() const override { return options_.batch_norm; }

 private:
  friend class CaviaLearner;

  /// phi = 0, [T,context].
  Tensor no_context(const ParamList& weights, int64_t tasks) const {
    return torch::zeros({tasks, options_.context},
                        weights["film.weight"].options().requires_grad(true));
  }

  static Film film_of(const ParamList& weights, const Tensor& context) {
    const Tensor both = torch::matmul(context, weights["film.weight"].t());
    const std::vector<Tensor> halves = both.chunk(2, 1);
    return {1 + halves[0], halves[1]};
  }

  Tensor support_losses(const ParamList& weights, const Tensor& context, const Labelled& support,
                        bool training) const {
    const Film film = film_of(weights, context);
    Forward forward = support_forward(options_.batch_norm, training);
    forward.film = &film;
    return task_loss(network_.outputs(weights, support.inputs, forward), support.targets);
  }

  /// phi - alpha grad.
  Tensor stepped(const Tensor& context, const Tensor& losses, bool second_order) const {
    const Tensor gradient = torch::autograd::grad({losses.sum()}, {context}, {}, second_order,
                                                  /*create_graph=*/second_order)[0];
    return context.sub(gradient, options_.inner_lr);
  }

  Options options_;
  int64_t channels_;
  Network network_;
};

/// The tasks' vectors, after each step.
class CaviaLearner final : public Learner {
 public:
  CaviaLearner(const Cavia& method, ParamList weights, std::vector<Tensor> contexts, Tensor support)
      : method_(method),
        weights_(std::move(weights)),
        contexts_(std::move(contexts)),
        support_(std::move(support)) {}

  Tensor logits(const Tensor& query) const override { return after(contexts_.back(), query); }

  std::vector<Tensor> logits_by_step(const Tensor& query) const override {
    std::vector<Tensor> result;
    for (const Tensor& context : contexts_) result.push_back(after(context, query));
    return result;
  }

 private:
  Tensor after(const Tensor& context, const Tensor& query) const {
    const Film film = Cavia::film_of(weights_, context);
    return query_outputs(method_.network_, weights_, query, support_,
                         {method_.options_.batch_norm, false, &film});
  }

  const Cavia& method_;
  ParamList weights_;
  std::vector<Tensor> contexts_;
  Tensor support_;
};

std::unique_ptr<Learner> Cavia::adapt(const ParamList& weights, const Labelled& support,
                                      const Shapes& shapes, const Context&) const {
  check_outputs(weights, shapes);
  const torch::AutoGradMode with_gradients(true);
  std::vector<Tensor> contexts{no_context(weights, support.inputs.size(0))};
  for (int64_t step = 0; step < options_.steps_at_test(); ++step) {
    const Tensor losses = support_losses(weights, contexts.back(), support, false);
    contexts.push_back(
        stepped(contexts.back(), losses, /*second_order=*/false).detach().requires_grad_(true));
  }
  return std::make_unique<CaviaLearner>(*this, weights, std::move(contexts), support.inputs);
}

const AlgorithmRegistration kCavia{algorithm_plugin<Cavia>(
    {.name = "cavia",
     .summary = "a short vector for each task adapts and modulates a common network",
     .paper = "Zintgraf et al. 2019, Fast context adaptation via meta-learning",
     .regression = true})};

}  // namespace
}  // namespace kshot
