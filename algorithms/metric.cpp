#include "algorithms/metric.h"

namespace kshot {

MetricMethod::MetricMethod(BackbonePtr backbone, std::string norm)
    : backbone_(std::move(backbone)), norm_(std::move(norm)) {}

Option MetricMethod::norm_option() {
  return {.help =
              "statistics at test: running averages of training, the support set's, "
              "each query's with the support set, or all queries' with it",
          .one_of = {"running", "support", "support_plus_one", "transductive"}};
}

ParamList MetricMethod::init(const Shapes& shapes, Stream stream) const {
  ParamList weights;
  weights.add("backbone", backbone_->init(shapes, stream));
  return weights;
}

Tensor MetricMethod::features(const ParamList& weights, const Tensor& images,
                              Forward& forward) const {
  return backbone_->features(weights.scope("backbone"), images, forward).flatten(2);
}

MetricMethod::Summary MetricMethod::summary_of(const ParamList& weights, const Tensor& features,
                                               const Labelled& support, int64_t way) const {
  return {summarise(weights, features, support.targets, way), support.targets, way};
}

/// One batch of support and queries.
Tensor MetricMethod::logits_together(const ParamList& weights, const Labelled& support,
                                     const Tensor& query, int64_t way, Forward& forward) const {
  const int64_t images = support.inputs.size(1);
  const Tensor all = features(weights, torch::cat({support.inputs, query}, 1), forward);
  const Summary summary = summary_of(weights, all.narrow(1, 0, images), support, way);
  return compare(weights, all.narrow(1, images, query.size(1)), summary);
}

TaskGradients MetricMethod::learn(const ParamList& weights, const Episodes& tasks,
                                  const Context&) const {
  const ParamList leaves = weights.attach();
  NormStatistics met;
  Forward forward{.norm = NormMode::batch, .met = &met, .training = true};
  const Tensor logits =
      logits_together(leaves, tasks.support, tasks.query.inputs, tasks.outputs, forward);
  const Tensor losses = task_cross_entropy(logits, tasks.query.targets);
  TaskGradients result;
  result.gradients = gradients_of(losses.sum(), leaves);
  result.statistics.add("backbone", running_buffers(met));
  result.losses = losses.detach().unsqueeze(1);
  result.accuracy = task_accuracy(logits, tasks.query.targets);
  return result;
}

/// Holds what was made of the support set, or, where batch norm lets the queries move it, the
/// support set.
class MetricLearner final : public Learner {
 public:
  MetricLearner(const MetricMethod& method, const ParamList& weights, const Labelled& support,
                int64_t way)
      : method_(method), weights_(weights), support_(support), way_(way) {
    if (method.norm_ == "running" || method.norm_ == "support") {
      Forward forward{.norm = method.norm_ == "running" ? NormMode::running : NormMode::batch,
                      .met = &met_};
      const Tensor features = method.features(weights, support.inputs, forward);
      summary_ = method.summary_of(weights, features, support, way);
    }
  }

  Tensor logits(const Tensor& query) const override {
    if (method_.norm_ == "transductive") return logits_together(query);
    if (method_.norm_ == "support_plus_one") {
      std::vector<Tensor> one_by_one;
      for (int64_t j = 0; j < query.size(1); ++j) {
        one_by_one.push_back(logits_together(query.narrow(1, j, 1)));
      }
      return torch::cat(one_by_one, 1);
    }
    Forward forward{.norm = method_.norm_ == "running" ? NormMode::running : NormMode::given,
                    .given = &met_};
    return method_.compare(weights_, method_.features(weights_, query, forward), summary_);
  }

 private:
  Tensor logits_together(const Tensor& query) const {
    Forward forward{.norm = NormMode::batch};
    return method_.logits_together(weights_, support_, query, way_, forward);
  }

  const MetricMethod& method_;
  ParamList weights_;
  Labelled support_;
  int64_t way_;
  NormStatistics met_;
  MetricMethod::Summary summary_;
};

std::unique_ptr<Learner> MetricMethod::adapt(const ParamList& weights, const Labelled& support,
                                             const Shapes& shapes, const Context&) const {
  return std::make_unique<MetricLearner>(*this, weights, support, shapes.outputs);
}

}  // namespace kshot
