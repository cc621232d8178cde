// Matching networks. Vinyals, Blundell, Lillicrap, Kavukcuoglu, Wierstra: "Matching networks for
// one shot learning", 2016.
//
// A query's label is a weighted vote of the support images; the weights are a softmax over the
// cosines between the query's features and theirs (attention), and the network is trained on
// episodes with the cross-entropy of the votes. With full context embeddings (FCE) the features
// depend on the whole support set: a bidirectional LSTM g reads it image by image, and each query
// passes through an LSTM f that attends to g's outputs for K steps.
//
// There is no code by the authors. Where the paper leaves a choice, and where we differ:
// 1. Support and query images of a training task share one batch-norm batch; the paper does not
//    say. Test uses running averages of training by default.
// 2. Without FCE f = g: one network embeds both (the paper allows two).
// 3. Cosines are taken of f and g as they are, with no scale before the softmax (eq. 3); then no
//    label can get more than e^2 times the vote of another of as many images. `cosine_scale` > 1
//    lifts that limit.
// 4. In f, the output and the cell are zero before the first step, so the first read-out is the
//    mean of g. The paper gives no start, and no number for K.
// 5. The LSTMs are PyTorch's, biases and initial weights included; the paper's, after Sutskever et
//    al. 2014, may differ.
// 6. g reads the support images in the order in which the task holds them: class by class.
#include <limits>

#include "algorithms/metric.h"
#include "algorithms/support_set.h"
#include "framework/model/lstm_cell.h"

namespace kshot {
namespace {

/// Logarithms of the labels' probabilities: votes of the support images with weights
/// softmax(similarities) (Vinyals et al. 2016, eq. 1 and 2).
/// similarities [T,Q,S], labels [T,S] in [0, way) -> [T,Q,way].
/// Throws Error if a class has no support image.
Tensor log_votes(const Tensor& similarities, const Tensor& labels, int64_t way) {
  const Tensor others = class_members(labels, way, similarities).eq(0).unsqueeze(1);  // [T,1,S,way]
  const Tensor of_class = similarities.unsqueeze(-1).masked_fill(
      others, -std::numeric_limits<double>::infinity());  // [T,Q,S,way]
  return of_class.logsumexp(2) - similarities.logsumexp(2, /*keepdim=*/true);
}

/// The outputs of an LSTM that reads images one after the other from a state of zeros, or from the
/// last to the first: x [T,S,F] -> [T,S,F].
Tensor read_in_turn(const Tensor& x, const LstmParams& lstm, bool backwards) {
  const int64_t images = x.size(1);
  LstmState state{torch::zeros_like(x.narrow(1, 0, 1)), torch::zeros_like(x.narrow(1, 0, 1))};
  std::vector<Tensor> outputs(static_cast<size_t>(images));
  for (int64_t k = 0; k < images; ++k) {
    const int64_t i = backwards ? images - 1 - k : k;
    state = lstm_cell(x.narrow(1, i, 1), state, lstm);
    outputs[static_cast<size_t>(i)] = state.output;
  }
  return torch::cat(outputs, 1);
}

/// f: `steps` steps of an LSTM that reads the support set by attention (appendix A.1).
/// query [T,Q,F], support [T,S,F] -> [T,Q,F].
Tensor attend(const Tensor& query, const Tensor& support, const LstmParams& lstm, int64_t steps) {
  Tensor output = torch::zeros_like(query), cell = torch::zeros_like(query);
  for (int64_t k = 0; k < steps; ++k) {
    const Tensor attention = torch::softmax(torch::bmm(output, support.transpose(1, 2)), -1);
    const Tensor read = torch::bmm(attention, support);
    const LstmState next = lstm_cell(query, {torch::cat({output, read}, -1), cell}, lstm);
    output = next.output + query;
    cell = next.cell;
  }
  return output;
}

class MatchingNet final : public MetricMethod {
 public:
  struct Options {
    bool fce = false;
    int64_t fce_steps = 5;
    double cosine_scale = 1;
    std::string batch_norm = "running";

    void describe(Fields& fields) {
      fields.option("fce", fce,
                    {.help = "full context embeddings: features depend on the whole support set "
                             "and on its order"});
      fields.option("fce_steps", fce_steps,
                    {.help = "with fce: how often a query reads the support set",
                     .symbol = "K",
                     .min = 1,
                     .max = 1000});
      fields.option("cosine_scale", cosine_scale,
                    {.help = "factor on cosine similarities before the softmax; the paper has "
                             "none, that is 1",
                     .min = 0});
      fields.option("batch_norm", batch_norm, norm_option());
    }
  };

  MatchingNet(const Options& options, BackbonePtr backbone)
      : MetricMethod(std::move(backbone), options.batch_norm), options_(options) {}

  ParamList init(const Shapes& shapes, Stream stream) const override {
    ParamList weights = MetricMethod::init(shapes, stream.split(0));
    if (!options_.fce) return weights;
    int64_t features = 1;
    for (const int64_t size : backbone().output_shape(shapes.input)) features *= size;
    const auto add = [&](const std::string& name, int64_t recurrent, uint64_t k) {
      weights.add(name, lstm_init(features, recurrent, features, stream.split(k)));
    };
    add("support_lstm.forward", features, 1);
    add("support_lstm.backward", features, 2);
    add("query_lstm", 2 * features, 3);
    return weights;
  }

  bool order_matters() const override { return options_.fce; }

 protected:
  /// g: the sum of both LSTMs' outputs and of the features themselves (appendix A.2).
  Tensor summarise(const ParamList& weights, const Tensor& features, const Tensor&,
                   int64_t) const override {
    if (!options_.fce) return features;
    const auto read = [&](const std::string& name, bool backwards) {
      return read_in_turn(features, lstm_params(weights.scope(name)), backwards);
    };
    return read("support_lstm.forward", false) + read("support_lstm.backward", true) + features;
  }

  Tensor compare(const ParamList& weights, const Tensor& features,
                 const Summary& summary) const override {
    const Tensor query = options_.fce
                             ? attend(features, summary.values,
                                      lstm_params(weights.scope("query_lstm")), options_.fce_steps)
                             : features;
    const Tensor similarities = options_.cosine_scale * cosine_similarities(query, summary.values);
    return log_votes(similarities, summary.labels, summary.way);
  }

 private:
  Options options_;
};

const AlgorithmRegistration kMatching{algorithm_plugin<MatchingNet>(
    {.name = "matching",
     .summary = "a vote of the support images, weighted by cosine similarity",
     .paper = "Vinyals et al. 2016, Matching networks for one shot learning"})};

}  // namespace
}  // namespace kshot
