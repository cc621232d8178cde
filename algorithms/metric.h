#pragma once

#include <string>

#include "framework/run/algorithm.h"

namespace kshot {

/// A method that compares the features of queries with what it makes of the support features. The
/// network is trained on episodes with the cross-entropy of the logits, and nothing adapts at test
/// but what is made of the support set, so way and shot may differ between training and test.
/// In training, support and query images of a task are one batch for batch norm.
class MetricMethod : public Algorithm {
 public:
  /// `norm`: one of the values of norm_option().
  MetricMethod(BackbonePtr backbone, std::string norm);

  /// The backbone's weights, `backbone.*`.
  ParamList init(const Shapes& shapes, Stream stream) const override;
  TaskGradients learn(const ParamList& weights, const Episodes& tasks,
                      const Context& context) const override;
  std::unique_ptr<Learner> adapt(const ParamList& weights, const Labelled& support,
                                 const Shapes& shapes, const Context& context) const override;
  bool transductive() const override { return norm_ == "transductive"; }
  std::string batch_norm() const override { return norm_; }

  /// The option `batch_norm`: statistics at test.
  /// - running: running averages of training;
  /// - support: the support set's, layer by layer;
  /// - support_plus_one: each query's together with the support set;
  /// - transductive: all queries' together with the support set.
  static Option norm_option();

 protected:
  /// What queries are compared with: features [T,S,F], labels [T,S] in [0, way) -> [T,...].
  virtual Tensor summarise(const ParamList& weights, const Tensor& features, const Tensor& labels,
                           int64_t way) const = 0;

  /// What was made of the support set, and its labels.
  struct Summary {
    Tensor values, labels;
    int64_t way = 0;
  };
  /// Query features [T,Q,F] -> logits [T,Q,way].
  virtual Tensor compare(const ParamList& weights, const Tensor& features,
                         const Summary& summary) const = 0;

  const Backbone& backbone() const { return *backbone_; }

 private:
  friend class MetricLearner;

  Tensor features(const ParamList& weights, const Tensor& images, Forward& forward) const;
  Summary summary_of(const ParamList& weights, const Tensor& features, const Labelled& support,
                     int64_t way) const;
  Tensor logits_together(const ParamList& weights, const Labelled& support, const Tensor& query,
                         int64_t way, Forward& forward) const;

  BackbonePtr backbone_;
  std::string norm_;
};

}  // namespace kshot
