// Prototypical networks. Snell, Swersky, Zemel: "Prototypical networks for few-shot learning",
// 2017.
//
// A class is the mean of its support features (its prototype); a query belongs to the class whose
// prototype is nearest. The logits are negative squared Euclidean distances, and the network is
// trained on episodes with the cross-entropy of those logits. Nothing adapts at test time but the
// prototypes, so the way and shot of training and test may differ (the paper trains with more
// ways).
//
// Differences from the reference code (jakesnell/prototypical-networks):
// 1. Support and query images of a training task share one batch-norm batch, as there; the running
//    statistics used at test are moved by the same momentum 0.1 (train.statistics_momentum).
// 2. The reference transposes height and width of Omniglot images; ours does not. No accuracy can
//    depend on it but through the initial weights.
#include "framework/base/error.h"
#include "framework/model/task_ops.h"
#include "framework/run/algorithm.h"

namespace kshot {
namespace {

/// Class means of the support features (Snell et al. 2017, eq. 1).
/// features [T,S,F], labels [T,S] in [0, way) -> [T,way,F].
/// Throws Error if a class has no support image.
Tensor prototypes(const Tensor& features, const Tensor& labels, int64_t way) {
  const Tensor members = torch::one_hot(labels, way).to(features.scalar_type());  // [T,S,way]
  const Tensor counts = members.sum(1).unsqueeze(-1);
  if (counts.eq(0).any().item<bool>()) {
    throw Error(Exit::bad_data,
                "a class has no support image: prototypes need at least 1-shot tasks");
  }
  return torch::bmm(members.transpose(1, 2), features) / counts;
}

/// Cosine similarity times a scale, for the ablation of the paper's figure 2.
Tensor cosine_logits(const Tensor& query, const Tensor& centres, double scale) {
  const auto unit = [](const Tensor& x) { return x / x.norm(2, -1, true).clamp_min(1e-8); };
  return scale * torch::bmm(unit(query), unit(centres).transpose(1, 2));
}

class ProtoNet final : public Algorithm {
 public:
  struct Options {
    std::string distance = "euclidean";
    double cosine_scale = 10;
    std::string batch_norm = "running";

    void describe(Fields& fields) {
      fields.option("distance", distance,
                    {.help = "squared Euclidean, or cosine as matching networks use",
                     .symbol = "d",
                     .one_of = {"euclidean", "cosine"}});
      fields.option("cosine_scale", cosine_scale,
                    {.help = "factor on cosine similarities before the softmax", .min = 0});
      fields.option("batch_norm", batch_norm,
                    {.help = "statistics at test: running averages of training, the support set's, "
                             "each query's with the support set, or all queries' with it",
                     .one_of = {"running", "support", "support_plus_one", "transductive"}});
    }
  };

  ProtoNet(const Options& options, BackbonePtr backbone)
      : options_(options), backbone_(std::move(backbone)) {}

  ParamList init(const Shapes& shapes, Stream stream) const override {
    ParamList weights;
    weights.add("backbone", backbone_->init(shapes, stream));
    return weights;
  }

  TaskGradients learn(const ParamList& weights, const Episodes& tasks,
                      const Context&) const override {
    const ParamList leaves = weights.attach();
    NormStatistics met;
    Forward forward{.norm = NormMode::batch, .met = &met, .training = true};
    const int64_t support = tasks.support.inputs.size(1), query = tasks.query.inputs.size(1);
    const Tensor images = torch::cat({tasks.support.inputs, tasks.query.inputs}, 1);
    const Tensor features = flat_features(leaves.scope("backbone"), images, forward);
    const Tensor centres =
        prototypes(features.narrow(1, 0, support), tasks.support.targets, tasks.outputs);
    const Tensor logits = compare(features.narrow(1, support, query), centres);
    const Tensor losses = task_cross_entropy(logits, tasks.query.targets);
    TaskGradients result;
    result.gradients = gradients_of(losses.sum(), leaves);
    result.statistics.add("backbone", running_buffers(met));
    result.losses = losses.detach().unsqueeze(1);
    result.accuracy = task_accuracy(logits, tasks.query.targets);
    return result;
  }

  std::unique_ptr<Learner> adapt(const ParamList& weights, const Labelled& support,
                                 const Shapes& shapes, const Context&) const override;

  bool transductive() const override { return options_.batch_norm == "transductive"; }
  std::string batch_norm() const override { return options_.batch_norm; }

 private:
  friend class ProtoNetLearner;

  Tensor flat_features(const ParamList& backbone, const Tensor& images, Forward& forward) const {
    return backbone_->features(backbone, images, forward).flatten(2);
  }

  Tensor compare(const Tensor& query, const Tensor& centres) const {
    return options_.distance == "euclidean" ? -squared_distances(query, centres)
                                            : cosine_logits(query, centres, options_.cosine_scale);
  }

  Options options_;
  BackbonePtr backbone_;
};

/// Holds the prototypes, or, where batch norm lets the queries move them, the support set.
class ProtoNetLearner final : public Learner {
 public:
  ProtoNetLearner(const ProtoNet& method, const ParamList& weights, const Labelled& support,
                  int64_t way)
      : method_(method), backbone_(weights.scope("backbone")), support_(support), way_(way) {
    const std::string& mode = method_.options_.batch_norm;
    if (mode == "running" || mode == "support") {
      Forward forward{.norm = mode == "running" ? NormMode::running : NormMode::batch,
                      .met = &met_};
      centres_ = prototypes(method_.flat_features(backbone_, support.inputs, forward),
                            support.targets, way);
    }
  }

  Tensor logits(const Tensor& query) const override {
    if (method_.options_.batch_norm == "transductive") return logits_together(query);
    if (method_.options_.batch_norm == "support_plus_one") {
      std::vector<Tensor> one_by_one;
      for (int64_t j = 0; j < query.size(1); ++j) {
        one_by_one.push_back(logits_together(query.narrow(1, j, 1)));
      }
      return torch::cat(one_by_one, 1);
    }
    Forward forward{
        .norm = method_.options_.batch_norm == "running" ? NormMode::running : NormMode::given,
        .given = &met_};
    return method_.compare(method_.flat_features(backbone_, query, forward), centres_);
  }

 private:
  /// One batch of support and queries.
  Tensor logits_together(const Tensor& query) const {
    Forward forward{.norm = NormMode::batch};
    const int64_t support = support_.inputs.size(1);
    const Tensor features =
        method_.flat_features(backbone_, torch::cat({support_.inputs, query}, 1), forward);
    const Tensor centres = prototypes(features.narrow(1, 0, support), support_.targets, way_);
    return method_.compare(features.narrow(1, support, query.size(1)), centres);
  }

  const ProtoNet& method_;
  ParamList backbone_;
  Labelled support_;
  int64_t way_;
  NormStatistics met_;
  Tensor centres_;
};

std::unique_ptr<Learner> ProtoNet::adapt(const ParamList& weights, const Labelled& support,
                                         const Shapes& shapes, const Context&) const {
  return std::make_unique<ProtoNetLearner>(*this, weights, support, shapes.outputs);
}

const AlgorithmRegistration kProtoNet{algorithm_plugin<ProtoNet>(
    {.name = "protonet",
     .summary = "nearest class mean in a learned feature space",
     .paper = "Snell et al. 2017, Prototypical networks for few-shot learning"})};

}  // namespace
}  // namespace kshot
