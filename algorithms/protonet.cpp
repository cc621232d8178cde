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
#include "algorithms/metric.h"
#include "algorithms/support_set.h"
#include "framework/model/task_ops.h"

namespace kshot {
namespace {

class ProtoNet final : public MetricMethod {
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
      fields.option("batch_norm", batch_norm, norm_option());
    }
  };

  ProtoNet(const Options& options, BackbonePtr backbone)
      : MetricMethod(std::move(backbone), options.batch_norm), options_(options) {}

 protected:
  /// The prototypes (eq. 1).
  Tensor summarise(const ParamList&, const Tensor& features, const Tensor& labels,
                   int64_t way) const override {
    return class_means(features, labels, way);
  }

  /// Cosine similarities times a scale are for the ablation of the paper's figure 2.
  Tensor compare(const ParamList&, const Tensor& features, const Summary& summary) const override {
    return options_.distance == "euclidean"
               ? -squared_distances(features, summary.values)
               : options_.cosine_scale * cosine_similarities(features, summary.values);
  }

 private:
  Options options_;
};

const AlgorithmRegistration kProtoNet{algorithm_plugin<ProtoNet>(
    {.name = "protonet",
     .summary = "nearest class mean in a learned feature space",
     .paper = "Snell et al. 2017, Prototypical networks for few-shot learning"})};

}  // namespace
}  // namespace kshot
