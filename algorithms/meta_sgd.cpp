// Meta-SGD. Li, Zhou, Chen, Li: "Meta-SGD: learning to learn quickly for few-shot learning", 2017.
//
// MAML with a learned step size for every element of every weight: theta' = theta - alpha . grad,
// alpha of theta's shape. The outer gradient trains alpha together with theta, so both the speed
// and the direction of adaptation are learned. The paper takes one inner step.
//
// Differences from the reference code: there is none by the authors. In learn2learn's, alpha begins
// at one number everywhere, as `inner_lr` does here; the paper draws it from U[0.005, 0.1].
#include "algorithms/maml.h"

namespace kshot {
namespace {

class MetaSgd final : public Maml {
 public:
  struct Options : MamlSettings {
    Options() { inner_steps = 1; }
    void describe(Fields& fields) {
      describe_common(fields);
      fields.option("second_order", second_order,
                    {.help = "the outer gradient goes through the inner gradients"});
      fields.option("adapt", adapting.what,
                    {.help = "what adapts: every weight, the head alone, or all but the head",
                     .one_of = {"all", "head", "body"}});
      fields.option("adapt_norm", adapting.norms,
                    {.help = "batch norm's scale and shift adapt too"});
    }
  };
  MetaSgd(const Options& options, BackbonePtr backbone) : Maml(options, std::move(backbone)) {}

 protected:
  /// `inner_lr.<weight>`, of the weight's shape, in the optimiser group "inner_lr".
  ParamList own_learnables(const ParamList& network) const override {
    ParamList rates;
    for (const Param& param : network) {
      if (!settings().adapting(param)) continue;
      rates.add({"inner_lr." + param.name, torch::full_like(param.value, settings().inner_lr),
                 Role::learnable, "inner_lr"});
    }
    return rates;
  }

  Tensor update(const ParamList& weights, const Param& param,
                const Tensor& gradient) const override {
    return param.value - weights["inner_lr." + param.name] * gradient;
  }
};

const AlgorithmRegistration kMetaSgd{algorithm_plugin<MetaSgd>(
    {.name = "meta_sgd",
     .summary = "MAML with a learned step size for each element of each weight",
     .paper = "Li et al. 2017, Meta-SGD: learning to learn quickly for few-shot learning",
     .regression = true})};

}  // namespace
}  // namespace kshot
