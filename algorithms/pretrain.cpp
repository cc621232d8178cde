// Pretraining: a classifier of all base classes, trained on minibatches. Its backbone is what
// counts: `kshot weights add` makes it a registered file, from which other methods start. Chen,
// Liu, Kira, Wang, Huang: "A closer look at few-shot classification", ICLR 2019, trains its
// baselines so: with a linear head (Baseline) or one of cosines (Baseline++).
//
// It is validated, and tested, by few-shot accuracy on classes that it never saw: queries belong to
// the nearest class mean of the support features.
//
// Differences from the reference code (wyharveychen/CloserLookFewShot):
// 1. There the last weights after a fixed number of epochs are taken; here those of the best
//    few-shot validation.
// 2. The cosine head has no weight normalisation of its own parametrisation: rows are divided by
//    their length in each pass, which gives the same function.
#include "algorithms/metric.h"
#include "algorithms/support_set.h"
#include "framework/model/initialise.h"
#include "framework/model/task_ops.h"

namespace kshot {
namespace {

class Pretrain final : public MetricMethod {
 public:
  struct Options {
    std::string head = "linear";
    double cosine_scale = 10;
    double label_smoothing = 0;
    std::string distance = "cosine";

    void describe(Fields& fields) {
      fields.option("head", head,
                    {.help = "of the base classes: a linear layer, or cosines between features and "
                             "a vector for each class",
                     .one_of = {"linear", "cosine"}});
      fields.option("cosine_scale", cosine_scale,
                    {.help = "factor on the cosines before the softmax", .min = 0});
      fields.option("label_smoothing", label_smoothing,
                    {.help = "share of the target that all classes have in common",
                     .symbol = "ε",
                     .min = 0,
                     .max = 1});
      fields.option("distance", distance,
                    {.help = "of queries to class means, at validation and test",
                     .one_of = {"euclidean", "cosine"}});
    }
  };

  Pretrain(const Options& options, BackbonePtr backbone)
      : MetricMethod(std::move(backbone), "running"), options_(options) {}

  ParamList init(const Shapes& shapes, Stream stream) const override {
    ParamList weights = MetricMethod::init(shapes, stream.split(0));
    int64_t features = 1;
    for (const int64_t size : backbone().output_shape(shapes.input)) features *= size;
    const std::vector<int64_t> head{shapes.outputs, features};
    weights.add({"head.weight", initial_weight("pytorch", head, stream.split(1))});
    if (options_.head == "linear")
      weights.add({"head.bias", initial_bias("pytorch", head, stream.split(2))});
    return weights;
  }

  TaskGradients learn(const ParamList& weights, const Episodes& batch,
                      const Context& context) const override {
    const ParamList leaves = weights.attach();
    std::vector<Stream> streams;
    for (int64_t t = 0; t < batch.query.inputs.size(0); ++t)
      streams.push_back(context.stream(Purpose::dropout, t));
    NormStatistics met;
    Forward forward{.norm = NormMode::batch, .met = &met, .training = true, .streams = streams};
    const Tensor features =
        backbone().features(leaves.scope("backbone"), batch.query.inputs, forward).flatten(2);
    const Tensor logits = classify(leaves, features);
    const Tensor losses = smoothed_losses(logits, batch.query.targets);
    TaskGradients result;
    result.gradients = gradients_of(losses.sum(), leaves);
    result.statistics.add("backbone", running_buffers(met));
    result.losses = losses.detach().unsqueeze(1);
    result.accuracy = task_accuracy(logits, batch.query.targets);
    return result;
  }

 protected:
  Tensor summarise(const ParamList&, const Tensor& features, const Tensor& labels,
                   int64_t way) const override {
    return class_means(features, labels, way);
  }

  Tensor compare(const ParamList&, const Tensor& features, const Summary& summary) const override {
    return options_.distance == "cosine"
               ? options_.cosine_scale * cosine_similarities(features, summary.values)
               : -squared_distances(features, summary.values);
  }

 private:
  Tensor classify(const ParamList& weights, const Tensor& features) const {
    if (options_.head == "linear")
      return linear(features, weights["head.weight"], weights["head.bias"]);
    const Tensor vectors = weights["head.weight"].expand({features.size(0), -1, -1});
    return options_.cosine_scale * cosine_similarities(features, vectors);
  }

  /// [T]. The target is (1 - ε) of the class and ε shared by all (Szegedy et al. 2016).
  Tensor smoothed_losses(const Tensor& logits, const Tensor& targets) const {
    const Tensor own = task_cross_entropy(logits, targets);
    if (options_.label_smoothing == 0) return own;
    const Tensor all = -torch::log_softmax(logits, -1).mean({1, 2});
    return (1 - options_.label_smoothing) * own + options_.label_smoothing * all;
  }

  Options options_;
};

const AlgorithmRegistration kPretrain{algorithm_plugin<Pretrain>(
    {.name = "pretrain",
     .summary = "a classifier of all base classes, whose backbone other methods start from",
     .paper = "Chen et al. 2019, A closer look at few-shot classification",
     .feeds = Feeds::minibatches})};

}  // namespace
}  // namespace kshot
