// A test-only algorithm that exercises every seam that ProtoNet does not: learnables of its own
// (a head and a step size in a parameter group), a buffer of its own, random numbers per task, and
// adaptation by gradient with second-order terms.
#include "framework/model/task_ops.h"
#include "framework/run/algorithm.h"

namespace kshot {
namespace {

class Adaptive final : public Algorithm {
 public:
  struct Options {
    double inner_lr = 0.1;
    void describe(Fields& fields) {
      fields.option("inner_lr", inner_lr,
                    {.help = "first inner step size", .symbol = "α", .min = 0, .max = 10});
    }
  };

  Adaptive(const Options& options, BackbonePtr backbone)
      : options_(options), backbone_(std::move(backbone)) {}

  ParamList init(const Shapes& shapes, Stream stream) const override {
    ParamList weights;
    weights.add("backbone", backbone_->init(shapes, stream.split(0)));
    const auto features = backbone_->output_shape(shapes.input);
    Tensor head = torch::empty({shapes.outputs, features[0]});
    Stream draws = stream.split(1);
    for (int64_t i = 0; i < head.numel(); ++i) head.view(-1)[i] = 0.1 * draws.normal();
    weights.add({"head", head});
    weights.add({"inner_lr", torch::full({1}, options_.inner_lr), Role::learnable, "rates"});
    weights.add({"mean_feature", torch::zeros({features[0]}), Role::buffer});
    return weights;
  }

  TaskGradients learn(const ParamList& weights, const Episodes& tasks,
                      const Context& context) const override {
    const ParamList leaves = weights.attach();
    NormStatistics met;
    const Tensor head = adapted_head(leaves, tasks.support, context, &met);
    Forward forward;
    const Tensor features =
        backbone_->features(leaves.scope("backbone"), tasks.query.inputs, forward);
    const Tensor logits = linear(features, head, Tensor());
    const Tensor losses = task_cross_entropy(logits, tasks.query.targets);
    TaskGradients result;
    result.gradients = gradients_of(losses.sum(), leaves);
    result.statistics.add("backbone", running_buffers(met));
    result.statistics.add({"mean_feature", features.detach().mean(1), Role::buffer});
    result.losses = losses.detach().unsqueeze(1);
    result.accuracy = task_accuracy(logits, tasks.query.targets);
    return result;
  }

  std::unique_ptr<Learner> adapt(const ParamList& weights, const Labelled& support, const Shapes&,
                                 const Context& context) const override {
    const Tensor head = adapted_head(weights.attach(), support, context, nullptr).detach();
    return std::make_unique<Adapted>(*backbone_, weights.scope("backbone"), head);
  }

  bool transductive() const override { return false; }
  std::string batch_norm() const override { return "running"; }

 private:
  class Adapted final : public Learner {
   public:
    Adapted(const Backbone& backbone, ParamList weights, Tensor head)
        : backbone_(backbone), weights_(std::move(weights)), head_(std::move(head)) {}
    Tensor logits(const Tensor& query) const override {
      Forward forward{.norm = NormMode::running};
      return linear(backbone_.features(weights_, query, forward), head_, Tensor());
    }

   private:
    const Backbone& backbone_;
    ParamList weights_;
    Tensor head_;
  };

  /// One gradient step of the head on the support set, with noise of the task's own on the
  /// features.
  Tensor adapted_head(const ParamList& leaves, const Labelled& support, const Context& context,
                      NormStatistics* met) const {
    Forward forward{.norm = met != nullptr ? NormMode::batch : NormMode::running, .met = met};
    const int64_t tasks = support.inputs.size(0);
    Tensor features = backbone_->features(leaves.scope("backbone"), support.inputs, forward);
    std::vector<Tensor> noise;
    for (int64_t t = 0; t < tasks; ++t) {
      Stream draws = context.stream(Purpose::algorithm, t);
      Tensor row = torch::empty({1, features.size(2)}, torch::kDouble);
      for (int64_t i = 0; i < row.numel(); ++i) row.view(-1)[i] = 0.01 * draws.normal();
      noise.push_back(row);
    }
    features = features + torch::stack(noise).to(features.options());
    const Tensor head = leaves["head"].unsqueeze(0).expand({tasks, -1, -1});
    const Tensor loss = task_cross_entropy(linear(features, head, Tensor()), support.targets).sum();
    const Tensor gradient =
        torch::autograd::grad({loss}, {head}, {}, true, /*create_graph=*/true)[0];
    return head - leaves["inner_lr"] * gradient;
  }

  Options options_;
  BackbonePtr backbone_;
};

const AlgorithmRegistration kAdaptive{algorithm_plugin<Adaptive>(
    {.name = "test_adaptive",
     .summary = "for tests: own learnables, buffer, noise, inner gradient",
     .paper = ""})};

}  // namespace
}  // namespace kshot
