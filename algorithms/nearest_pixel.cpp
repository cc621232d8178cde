// The no-learning floor: a query gets the label of the support image that is nearest in pixels
// (Euclidean distance). A method that does not beat it has learned nothing. With several shots the
// logits take each class's nearest image. Differences from a reference: none, there is no code.
#include "framework/model/task_ops.h"
#include "framework/run/algorithm.h"

namespace kshot {
namespace {

class NearestPixelLearner final : public Learner {
 public:
  NearestPixelLearner(const Labelled& support, int64_t way)
      : pixels_(support.inputs.flatten(2)), labels_(support.targets), way_(way) {}

  /// Minus the squared distance to each class's nearest support image.
  Tensor logits(const Tensor& query) const override {
    const Tensor distances = squared_distances(query.flatten(2), pixels_);  // [T,Q,S]
    const Tensor labels = labels_.unsqueeze(1).expand_as(distances);
    const Tensor far =
        torch::full({distances.size(0), distances.size(1), way_}, 1e30, distances.options());
    return -far.scatter_reduce(2, labels, distances, "amin");
  }

 private:
  Tensor pixels_, labels_;
  int64_t way_;
};

class NearestPixel final : public Algorithm {
 public:
  struct Options {
    void describe(Fields&) {}
  };

  NearestPixel(const Options&, const BackbonePtr&) {}

  ParamList init(const Shapes&, Stream) const override { return {}; }

  /// There is nothing to learn; what a task scores is reported all the same.
  TaskGradients learn(const ParamList&, const Episodes& tasks, const Context&) const override {
    const NearestPixelLearner learner(tasks.support, tasks.outputs);
    const Tensor logits = learner.logits(tasks.query.inputs);
    TaskGradients result;
    result.losses = task_cross_entropy(logits, tasks.query.targets).unsqueeze(1);
    result.accuracy = task_accuracy(logits, tasks.query.targets);
    return result;
  }

  std::unique_ptr<Learner> adapt(const ParamList&, const Labelled& support, const Shapes& shapes,
                                 const Context&) const override {
    return std::make_unique<NearestPixelLearner>(support, shapes.outputs);
  }

  bool transductive() const override { return false; }
};

const AlgorithmRegistration kNearestPixel{algorithm_plugin<NearestPixel>(
    {.name = "nearest_pixel",
     .summary = "no learning: the label of the nearest support image in pixels",
     .paper = "",
     .feeds = Feeds::nothing,
     .uses_backbone = false})};

}  // namespace
}  // namespace kshot
