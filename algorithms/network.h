#pragma once

#include <string>

#include "framework/run/algorithm.h"

namespace kshot {

/// A backbone and a linear head, as methods use it that adapt by gradient: parameters `backbone.*`,
/// `head.weight` [O,F] and `head.bias` [O].
class Network {
 public:
  /// `head_init`: one of initial_schemes().
  Network(BackbonePtr backbone, std::string head_init);

  ParamList init(const Shapes& shapes, Stream stream) const;

  /// [T,N,...] -> [T,N,O].
  Tensor outputs(const ParamList& params, const Tensor& inputs, Forward& forward) const;

  /// The features and the head by themselves: [T,N,...] -> [T,N,F] -> [T,N,O]. The head is computed
  /// by the kernels of the pass that gave the features.
  Tensor features(const ParamList& params, const Tensor& inputs, Forward& forward) const;
  Tensor head(const ParamList& params, const Tensor& features, const Forward& forward) const;

 private:
  BackbonePtr backbone_;
  std::string head_init_;
};

/// The buffers that the statistics met in a pass through the network are to move.
ParamList network_statistics(const NormStatistics& met);

/// Throws Error(bad_spec) where a head made for other tasks meets tasks of another way.
void check_outputs(const ParamList& weights, const Shapes& shapes);

/// The option `batch_norm` of these methods: where batch norm takes its statistics from when
/// queries are classified under adapted weights.
/// - transductive: all queries of the task together;
/// - support: the support set, layer by layer, under the same weights;
/// - support_plus_one: each query together with the whole support set;
/// - running: running averages of training (for support passes, too).
/// In training `support_plus_one` and `running` normalise by the batch at hand.
Option batch_norm_option();

/// How the support set passes through the network.
Forward support_forward(const std::string& batch_norm, bool training);

/// How queries do.
struct QueryPass {
  const std::string& batch_norm;
  bool training = false;
  const Film* film = nullptr;
};

/// The outputs of queries under adapted weights, [T,Q,O]. `met`, which may be null, gets the
/// statistics that were met.
Tensor query_outputs(const Network& network, const ParamList& params, const Tensor& query,
                     const Tensor& support, const QueryPass& pass, NormStatistics* met = nullptr);

/// A network after each step of its adaptation to the tasks: what most of these methods answer
/// queries with.
class AdaptedNetwork final : public Learner {
 public:
  /// `steps`: the weights before the first step, after it, ...; methods that cannot tell give the
  /// last alone. `network` and `batch_norm` belong to the algorithm, which lives longer.
  AdaptedNetwork(const Network& network, const std::string& batch_norm,
                 std::vector<ParamList> steps, Tensor support);

  Tensor logits(const Tensor& query) const override;
  std::vector<Tensor> logits_by_step(const Tensor& query) const override;

 private:
  const Network& network_;
  const std::string& batch_norm_;
  std::vector<ParamList> steps_;
  Tensor support_;
};

}  // namespace kshot
