#include "algorithms/network.h"

#include "framework/base/error.h"
#include "framework/model/dense.h"
#include "framework/model/initialise.h"

namespace kshot {

Network::Network(BackbonePtr backbone, std::string head_init)
    : backbone_(std::move(backbone)), head_init_(std::move(head_init)) {}

ParamList Network::init(const Shapes& shapes, Stream stream) const {
  ParamList params;
  params.add("backbone", backbone_->init(shapes, stream.split(0)));
  int64_t features = 1;
  for (const int64_t size : backbone_->output_shape(shapes.input)) features *= size;
  const std::vector<int64_t> shape{shapes.outputs, features};
  const Stream draws = stream.split(1);
  params.add({"head.weight", initial_weight(head_init_, shape, draws.split(0))});
  params.add({"head.bias", initial_bias(head_init_, shape, draws.split(1))});
  return params;
}

Tensor Network::features(const ParamList& params, const Tensor& inputs, Forward& forward) const {
  return backbone_->features(params.scope("backbone"), inputs, forward).flatten(2);
}

Tensor Network::head(const ParamList& params, const Tensor& features,
                     const Forward& forward) const {
  return dense(features, params["head.weight"], params["head.bias"], /*relu=*/false, "head",
               forward);
}

Tensor Network::outputs(const ParamList& params, const Tensor& inputs, Forward& forward) const {
  const Tensor found = features(params, inputs, forward);
  return head(params, found, forward);
}

ParamList network_statistics(const NormStatistics& met) {
  ParamList statistics;
  statistics.add("backbone", running_buffers(met));
  return statistics;
}

void check_outputs(const ParamList& weights, const Shapes& shapes) {
  const int64_t outputs = weights["head.bias"].size(-1);
  if (outputs != shapes.outputs) {
    throw Error(Exit::bad_spec,
                "the head was made for {} outputs, but these tasks have {}: methods that adapt a "
                "head are tested with the way that they were trained with",
                outputs, shapes.outputs);
  }
}

Option batch_norm_option() {
  return {.help =
              "statistics for queries: all queries' of the task, the support set's under the "
              "same weights, each query's with the support set, or running averages of "
              "training (for the support set too)",
          .one_of = {"transductive", "support", "support_plus_one", "running"}};
}

Forward support_forward(const std::string& batch_norm, bool training) {
  const bool running = batch_norm == "running" && !training;
  return {.norm = running ? NormMode::running : NormMode::batch, .training = training};
}

namespace {

/// Each query in a batch with the whole support set.
Tensor one_by_one(const Network& network, const ParamList& params, const Tensor& query,
                  const Tensor& support, const QueryPass& pass) {
  std::vector<Tensor> outputs;
  for (int64_t j = 0; j < query.size(1); ++j) {
    Forward forward{.norm = NormMode::batch, .film = pass.film};
    const Tensor images = torch::cat({support, query.narrow(1, j, 1)}, 1);
    outputs.push_back(network.outputs(params, images, forward).narrow(1, support.size(1), 1));
  }
  return torch::cat(outputs, 1);
}

/// The support set passes first; its statistics are part of the graph.
Tensor by_support(const Network& network, const ParamList& params, const Tensor& query,
                  const Tensor& support, const QueryPass& pass, NormStatistics& met) {
  Forward first{.norm = NormMode::batch,
                .met = &met,
                .differentiable_met = torch::GradMode::is_enabled(),
                .training = pass.training,
                .film = pass.film};
  network.outputs(params, support, first);
  Forward forward{
      .norm = NormMode::given, .given = &met, .training = pass.training, .film = pass.film};
  return network.outputs(params, query, forward);
}

}  // namespace

Tensor query_outputs(const Network& network, const ParamList& params, const Tensor& query,
                     const Tensor& support, const QueryPass& pass, NormStatistics* met) {
  if (pass.batch_norm == "support") {
    NormStatistics own;
    return by_support(network, params, query, support, pass, met != nullptr ? *met : own);
  }
  if (pass.batch_norm == "support_plus_one" && !pass.training)
    return one_by_one(network, params, query, support, pass);
  Forward forward = support_forward(pass.batch_norm, pass.training);
  forward.film = pass.film;
  if (forward.norm == NormMode::batch) forward.met = met;
  return network.outputs(params, query, forward);
}

AdaptedNetwork::AdaptedNetwork(const Network& network, const std::string& batch_norm,
                               std::vector<ParamList> steps, Tensor support)
    : network_(network),
      batch_norm_(batch_norm),
      steps_(std::move(steps)),
      support_(std::move(support)) {}

Tensor AdaptedNetwork::logits(const Tensor& query) const {
  return query_outputs(network_, steps_.back(), query, support_, {batch_norm_});
}

std::vector<Tensor> AdaptedNetwork::logits_by_step(const Tensor& query) const {
  std::vector<Tensor> result;
  for (const ParamList& params : steps_)
    result.push_back(query_outputs(network_, params, query, support_, {batch_norm_}));
  return result;
}

}  // namespace kshot
