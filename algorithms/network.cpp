#include "algorithms/network.h"

#include "framework/base/error.h"
#include "framework/model/initialise.h"
#include "framework/model/task_ops.h"

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

Tensor Network::head(const ParamList& params, const Tensor& features) const {
  return linear(features, params["head.weight"], params["head.bias"]);
}

Tensor Network::outputs(const ParamList& params, const Tensor& inputs, Forward& forward) const {
  return head(params, features(params, inputs, forward));
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
  return {.help = "statistics for queries: all queries' of the task, the support set's under the "
                  "same weights, each query's with the support set, or running averages of "
                  "training (for the support set too)",
          .one_of = {"transductive", "support", "support_plus_one", "running"}};
}

Forward support_forward(const std::string& batch_norm, bool training) {
  const bool running = batch_norm == "running" && !training;
  return {.norm = running ? NormMode::running : NormMode::batch, .training = training};
}

Tensor query_outputs(const Network& network, const ParamList& params, const Tensor& query,
                     const Tensor& support, const std::string& batch_norm, bool training,
                     NormStatistics* met) {
  if (batch_norm == "support") {
    NormStatistics of_support;
    Forward first{.norm = NormMode::batch, .met = &of_support, .training = training};
    first.differentiable_met = torch::GradMode::is_enabled();
    network.outputs(params, support, first);
    if (met != nullptr) *met = of_support;
    Forward forward{.norm = NormMode::given, .given = &of_support, .training = training};
    return network.outputs(params, query, forward);
  }
  if (batch_norm == "support_plus_one" && !training) {
    const int64_t last = support.size(1);
    std::vector<Tensor> one_by_one;
    for (int64_t j = 0; j < query.size(1); ++j) {
      Forward forward{.norm = NormMode::batch};
      const Tensor images = torch::cat({support, query.narrow(1, j, 1)}, 1);
      one_by_one.push_back(network.outputs(params, images, forward).narrow(1, last, 1));
    }
    return torch::cat(one_by_one, 1);
  }
  Forward forward = support_forward(batch_norm, training);
  if (forward.norm == NormMode::batch) forward.met = met;
  return network.outputs(params, query, forward);
}

}  // namespace kshot
