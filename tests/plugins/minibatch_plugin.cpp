// A test-only algorithm that trains a classifier over all base classes on minibatches and is tested
// on episodes by the nearest class mean: what pretraining will do.
#include "framework/model/initialise.h"
#include "framework/model/task_ops.h"
#include "framework/run/algorithm.h"

namespace kshot {
namespace {

class MinibatchClassifier final : public Algorithm {
 public:
  struct Options {
    void describe(Fields&) {}
  };

  MinibatchClassifier(const Options&, BackbonePtr backbone) : backbone_(std::move(backbone)) {}

  ParamList init(const Shapes& shapes, Stream stream) const override {
    ParamList weights;
    weights.add("backbone", backbone_->init(shapes, stream.split(0)));
    const std::vector<int64_t> head{shapes.outputs, backbone_->output_shape(shapes.input)[0]};
    weights.add({"head.weight", initial_weight("pytorch", head, stream.split(1))});
    weights.add({"head.bias", initial_bias("pytorch", head, stream.split(2))});
    return weights;
  }

  TaskGradients learn(const ParamList& weights, const Episodes& batch,
                      const Context&) const override {
    const ParamList leaves = weights.attach();
    NormStatistics met;
    Forward forward{.met = &met, .training = true};
    const Tensor features =
        backbone_->features(leaves.scope("backbone"), batch.query.inputs, forward);
    const Tensor logits = linear(features, leaves["head.weight"], leaves["head.bias"]);
    const Tensor losses = task_cross_entropy(logits, batch.query.targets);
    TaskGradients result;
    result.gradients = gradients_of(losses.sum(), leaves);
    result.statistics.add("backbone", running_buffers(met));
    result.losses = losses.detach().unsqueeze(1);
    result.accuracy = task_accuracy(logits, batch.query.targets);
    return result;
  }

  std::unique_ptr<Learner> adapt(const ParamList& weights, const Labelled& support,
                                 const Shapes& shapes, const Context&) const override {
    return std::make_unique<NearestMean>(*backbone_, weights.scope("backbone"), support,
                                         shapes.outputs);
  }

  bool transductive() const override { return false; }
  std::string batch_norm() const override { return "running"; }

 private:
  class NearestMean final : public Learner {
   public:
    NearestMean(const Backbone& backbone, ParamList weights, const Labelled& support, int64_t way)
        : backbone_(backbone), weights_(std::move(weights)) {
      const Tensor members = torch::one_hot(support.targets, way).to(support.inputs.scalar_type());
      means_ = torch::bmm(members.transpose(1, 2), features(support.inputs)) /
               members.sum(1).unsqueeze(-1);
    }
    Tensor logits(const Tensor& query) const override {
      return -squared_distances(features(query), means_);
    }

   private:
    Tensor features(const Tensor& images) const {
      Forward forward{.norm = NormMode::running};
      return backbone_.features(weights_, images, forward);
    }
    const Backbone& backbone_;
    ParamList weights_;
    Tensor means_;
  };

  BackbonePtr backbone_;
};

const AlgorithmRegistration kMinibatch{algorithm_plugin<MinibatchClassifier>(
    {.name = "test_minibatch",
     .summary = "for tests: trains on minibatches, tests on episodes",
     .paper = "",
     .feeds = Feeds::minibatches})};

}  // namespace
}  // namespace kshot
