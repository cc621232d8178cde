// A multilayer perceptron: linear layers with an activation behind each. Of [40, 40] units and a
// linear head it is the sinusoid network of MAML (Finn et al. 2017, section 5.1). It has no batch
// norm.
#include <functional>
#include <numeric>

#include "framework/base/error.h"
#include "framework/model/dense.h"
#include "framework/model/initialise.h"

namespace kshot {
namespace {

struct MlpOptions {
  std::vector<int64_t> hidden{40, 40};
  std::string activation = "relu";
  std::string init = "pytorch";

  void describe(Fields& fields) {
    fields.option("hidden", hidden,
                  {.help = "units of each layer, from the input on", .min = 1, .max = 65536});
    fields.option("activation", activation,
                  {.help = "behind each layer", .one_of = {"relu", "tanh"}});
    fields.option("init", init, {.help = "initial weights", .one_of = initial_schemes()});
  }
};

class Mlp final : public Backbone {
 public:
  explicit Mlp(const MlpOptions& options) : options_(options) {
    if (options_.hidden.empty())
      throw Error(Exit::bad_spec, "backbone.hidden is [], expected the units of a layer at least");
  }

  ParamList init(const Shapes& shapes, Stream stream) const override {
    ParamList params;
    int64_t inputs =
        std::accumulate(shapes.input.begin(), shapes.input.end(), int64_t{1}, std::multiplies<>());
    for (size_t i = 0; i < options_.hidden.size(); ++i) {
      const std::vector<int64_t> shape{options_.hidden[i], inputs};
      const Stream draws = stream.split(i);
      params.add({layer_name(i) + ".weight", initial_weight(options_.init, shape, draws.split(0))});
      params.add({layer_name(i) + ".bias", initial_bias(options_.init, shape, draws.split(1))});
      inputs = options_.hidden[i];
    }
    return params;
  }

  /// Samples of any shape, [T,N,...], are taken as vectors.
  Tensor features(const ParamList& params, const Tensor& inputs, Forward& forward) const override {
    Tensor x = inputs.flatten(2);
    for (size_t i = 0; i < options_.hidden.size(); ++i) {
      const std::string name = layer_name(i);
      const bool film = i == 0 && forward.film != nullptr, relu = options_.activation == "relu";
      x = dense(x, params[name + ".weight"], params[name + ".bias"], relu && !film, name, forward);
      if (film) x = x * forward.film->scale.unsqueeze(1) + forward.film->shift.unsqueeze(1);
      if (film && relu) x = x.relu();
      if (!relu) x = x.tanh();
    }
    return x;
  }

  std::vector<int64_t> output_shape(std::span<const int64_t>) const override {
    return {options_.hidden.back()};
  }

  /// The first layer, before its activation.
  int64_t film_channels() const override { return options_.hidden.front(); }

 private:
  static std::string layer_name(size_t i) { return "layer" + std::to_string(i + 1); }

  MlpOptions options_;
};

const Registration<BackbonePlugin> kMlp{BackbonePlugin::with<MlpOptions>(
    {.name = "mlp",
     .summary = "linear layers with an activation behind each, for samples of any shape",
     .paper = "Finn et al. 2017, section 5.1, for [40, 40] units"},
    [](const MlpOptions& options) { return std::make_shared<const Mlp>(options); })};

}  // namespace
}  // namespace kshot
