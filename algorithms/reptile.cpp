// Reptile. Nichol, Achiam, Schulman: "On first-order meta-learning algorithms", 2018.
//
// A task's weights phi are a few optimiser steps on minibatches of its examples away from the
// common weights theta; theta then moves towards them: theta <- theta + epsilon mean(phi - theta).
// `learn` answers theta - phi, so that SGD with rate epsilon is that step: optimizer "sgd", a
// linear schedule from 1 to 0; meta_batch 1 is the serial form, more the batched one.
//
// Differences from the reference code (openai/supervised-reptile):
// 1. There the inner Adam (beta1 = 0) keeps its second moments from task to task, one after the
//    other. Here each task begins without any (`inner_state: fresh`), or, with `kept`, with those
//    that earlier iterations left: buffers beside the weights, which the trainer moves towards what
//    a meta-batch ends with (train.statistics_momentum). Tasks of one meta-batch begin alike.
// 2. Minibatches are drawn from the task's own stream; as there, the examples are shuffled, gone
//    through, and shuffled again.
// 3. Batch norm's scale and shift adapt, as there, and running averages play no part:
//    `transductive` classifies all queries in one batch, `support_plus_one` each with the support.
#include <numeric>

#include "algorithms/inner_loop.h"
#include "algorithms/network.h"
#include "framework/base/error.h"
#include "framework/model/initialise.h"

namespace kshot {
namespace {

struct ReptileOptions {
  std::string inner_optimizer = "adam";
  double inner_lr = 1e-3;
  int64_t inner_steps = 5;
  int64_t inner_batch = 10;
  int64_t test_inner_steps = 50;
  int64_t test_inner_batch = 5;
  double beta2 = 0.999;
  std::string inner_state = "fresh";
  std::string batch_norm = "transductive";
  std::string head_init = "pytorch";

  void describe(Fields& fields) {
    fields.option(
        "inner_optimizer", inner_optimizer,
        {.help = "Adam with beta1 = 0, or plain gradient descent", .one_of = {"adam", "sgd"}});
    fields.option("inner_lr", inner_lr, {.help = "its step size", .symbol = "α", .min = 0});
    fields.option("inner_steps", inner_steps,
                  {.help = "minibatches of a training task", .symbol = "k", .min = 1, .max = 1000});
    fields.option("inner_batch", inner_batch,
                  {.help = "images of a minibatch; at most the whole support set", .min = 1});
    fields.option("test_inner_steps", test_inner_steps,
                  {.help = "minibatches of a test task", .min = 0, .max = 10000});
    fields.option("test_inner_batch", test_inner_batch,
                  {.help = "images of a minibatch at test", .min = 1});
    fields.option(
        "beta2", beta2,
        {.help = "Adam's decay of squared gradients", .symbol = "β2", .min = 0, .max = 1});
    fields.option("inner_state", inner_state,
                  {.help = "Adam's second moments at the start of a task: none, or those kept from "
                           "earlier training tasks",
                   .one_of = {"fresh", "kept"}});
    Option norm = batch_norm_option();
    norm.one_of = {"transductive", "support_plus_one"};
    norm.help =
        "statistics for queries: all queries' of the task, or each query's with the support set";
    fields.option("batch_norm", batch_norm, norm);
    fields.option("head_init", head_init,
                  {.help = "initial weights of the linear head", .one_of = initial_schemes()});
  }
};

/// Minibatches of [0, count): shuffled, gone through, shuffled again.
class Minibatches {
 public:
  Minibatches(Stream stream, int64_t count, int64_t size)
      : stream_(stream), count_(count), size_(std::min(size, count)) {}

  Tensor next() {
    std::vector<int64_t> batch;
    while (static_cast<int64_t>(batch.size()) < size_) {
      if (left_.empty()) left_ = stream_.permutation(count_);
      batch.push_back(left_.back());
      left_.pop_back();
    }
    return torch::tensor(batch, torch::kLong);
  }

 private:
  Stream stream_;
  int64_t count_, size_;
  std::vector<int64_t> left_;
};

class Reptile final : public Algorithm {
 public:
  using Options = ReptileOptions;

  Reptile(const Options& options, BackbonePtr backbone)
      : options_(options), network_(std::move(backbone), options.head_init) {}

  ParamList init(const Shapes& shapes, Stream stream) const override {
    ParamList weights = network_.init(shapes, stream);
    if (!keeps_moments()) return weights;
    ParamList moments;
    for (const Param& param : weights.with_role(Role::learnable))
      moments.add({kMoments + param.name, torch::zeros_like(param.value), Role::buffer});
    moments.add({std::string(kMoments) + "filled", torch::zeros({1}), Role::buffer});
    for (const Param& moment : moments) weights.add(moment);
    return weights;
  }

  TaskGradients learn(const ParamList& weights, const Episodes& tasks,
                      const Context& context) const override {
    Trail trail;
    const ParamList adapted = descended(weights, tasks.support, options_.inner_steps,
                                        options_.inner_batch, context, &trail);
    TaskGradients result;
    for (const Param& param : weights.with_role(Role::learnable)) {
      const Tensor movement = param.value.unsqueeze(0) - adapted[param.name].detach();
      result.gradients.add({param.name, movement.sum(0), param.role, param.group});
    }
    result.statistics = network_statistics(trail.met);
    if (keeps_moments()) add_moments(result.statistics, trail.moments, tasks.tasks());
    result.losses = torch::stack(trail.losses, 1);
    result.accuracy = trail.accuracy;
    return result;
  }

  std::unique_ptr<Learner> adapt(const ParamList& weights, const Labelled& support,
                                 const Shapes& shapes, const Context& context) const override;

  bool transductive() const override { return options_.batch_norm == "transductive"; }
  /// Minibatches are drawn by their place in the support set.
  bool order_matters() const override { return true; }
  std::string batch_norm() const override { return options_.batch_norm; }

 private:
  inline static const Adapting kAdapting{};

  static constexpr const char* kMoments = "adam.";

  /// Adam's second moments of each parameter, [T,...], and how much of an average they hold: 1 less
  /// beta2 to the number of squares, [1].
  struct Moments {
    std::map<std::string, Tensor> squares;
    Tensor filled;
  };

  bool keeps_moments() const {
    return options_.inner_optimizer == "adam" && options_.inner_state == "kept";
  }

  Moments moments_at_start(const ParamList& weights) const {
    Moments moments;
    const Tensor& like = weights["head.bias"];
    moments.filled = torch::zeros({1}, like.options().requires_grad(false));
    if (!keeps_moments()) return moments;
    for (const Param& param : weights.with_role(Role::learnable))
      moments.squares[param.name] = weights[kMoments + param.name].unsqueeze(0);
    moments.filled = weights[std::string(kMoments) + "filled"];
    return moments;
  }

  /// As what the buffers are to follow, with the task axis that statistics have.
  static void add_moments(ParamList& statistics, const Moments& moments, int64_t tasks) {
    for (const auto& [name, square] : moments.squares)
      statistics.add({kMoments + name, square, Role::buffer});
    statistics.add(
        {std::string(kMoments) + "filled", moments.filled.expand({tasks, 1}), Role::buffer});
  }

  /// What was met on the way.
  struct Trail {
    std::vector<Tensor> losses;  ///< [T] of each minibatch
    Tensor accuracy;             ///< [T] of the last
    NormStatistics met;          ///< in the last
    Moments moments;             ///< after the last
  };

  /// The tasks' own weights after `steps` minibatches, constants.
  ParamList descended(const ParamList& weights, const Labelled& support, int64_t steps,
                      int64_t batch, const Context& context, Trail* trail) const {
    const torch::AutoGradMode with_gradients(true);
    const int64_t tasks = support.inputs.size(0);
    std::vector<Minibatches> batches;
    for (int64_t t = 0; t < tasks; ++t)
      batches.emplace_back(context.stream(Purpose::algorithm, t), support.inputs.size(1), batch);
    ParamList params = cut_off(one_copy_per_task(weights, kAdapting, tasks), kAdapting);
    Moments moments = moments_at_start(weights);
    for (int64_t step = 0; step < steps; ++step) {
      const Labelled images = chosen(support, batches);
      NormStatistics met;
      Forward forward{.norm = NormMode::batch, .met = &met, .training = trail != nullptr};
      const Tensor outputs = network_.outputs(params, images.inputs, forward);
      const Tensor losses = task_loss(outputs, images.targets);
      if (trail != nullptr) {
        trail->losses.push_back(losses.detach());
        trail->accuracy = task_accuracy(outputs, images.targets);
        trail->met = met;
      }
      moments.filled = moments.filled * options_.beta2 + (1 - options_.beta2);
      const ParamList next = descend(
          params, kAdapting, losses,
          [&](const Param& param, const Tensor& gradient) {
            return stepped(param, gradient, moments);
          },
          /*second_order=*/false);
      params = cut_off(next, kAdapting);
    }
    if (trail != nullptr) trail->moments = moments;
    return params;
  }

  /// One step of Adam with beta1 = 0 (Kingma & Ba 2015, with the reference's epsilon outside the
  /// correction), or of gradient descent; every element by itself, so that tasks stay apart.
  Tensor stepped(const Param& param, const Tensor& gradient, Moments& moments) const {
    if (options_.inner_optimizer == "sgd") return param.value.sub(gradient, options_.inner_lr);
    constexpr double kEpsilon = 1e-8;
    const Tensor square = gradient.square() * (1 - options_.beta2);
    Tensor& squares = moments.squares[param.name];
    squares = squares.defined() ? squares * options_.beta2 + square : square;
    const Tensor rate = options_.inner_lr * moments.filled.sqrt();
    return param.value - rate * gradient / (squares.sqrt() + kEpsilon);
  }

  /// The next minibatch of each task.
  static Labelled chosen(const Labelled& support, std::vector<Minibatches>& batches) {
    std::vector<Tensor> inputs, targets;
    for (size_t t = 0; t < batches.size(); ++t) {
      const auto task = static_cast<int64_t>(t);
      const Tensor rows = batches[t].next().to(support.inputs.device());
      inputs.push_back(support.inputs[task].index_select(0, rows));
      targets.push_back(support.targets[task].index_select(0, rows));
    }
    return {torch::stack(inputs), torch::stack(targets)};
  }

  Options options_;
  Network network_;
};

std::unique_ptr<Learner> Reptile::adapt(const ParamList& weights, const Labelled& support,
                                        const Shapes& shapes, const Context& context) const {
  check_outputs(weights, shapes);
  std::vector<ParamList> last{descended(weights, support, options_.test_inner_steps,
                                        options_.test_inner_batch, context, nullptr)};
  return std::make_unique<AdaptedNetwork>(network_, options_.batch_norm, std::move(last),
                                          support.inputs);
}

const AlgorithmRegistration kReptile{algorithm_plugin<Reptile>(
    {.name = "reptile",
     .summary = "moves the weights towards each task's own, which a few optimiser steps find",
     .paper = "Nichol et al. 2018, On first-order meta-learning algorithms",
     .regression = true})};

}  // namespace
}  // namespace kshot
