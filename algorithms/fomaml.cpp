// First-order MAML. Finn, Abbeel, Levine 2017, section 5.2: MAML that takes the inner gradients for
// constants. The outer gradient is the query loss's at the adapted weights, moved to the common
// ones; no second derivative is computed. Differences from the reference code: maml.cpp.
#include "algorithms/maml.h"

namespace kshot {
namespace {

class FirstOrderMaml final : public Maml {
 public:
  struct Options : MamlSettings {
    void describe(Fields& fields) {
      describe_common(fields);
      fields.option("adapt_norm", adapting.norms,
                    {.help = "batch norm's scale and shift adapt too"});
    }
  };
  FirstOrderMaml(const Options& options, BackbonePtr backbone)
      : Maml(first_order(options), std::move(backbone)) {}

 private:
  static MamlSettings first_order(MamlSettings settings) {
    settings.second_order = false;
    return settings;
  }
};

const AlgorithmRegistration kFirstOrderMaml{algorithm_plugin<FirstOrderMaml>(
    {.name = "fomaml",
     .summary = "MAML without second derivatives",
     .paper = "Finn et al. 2017, Model-agnostic meta-learning for fast adaptation of deep "
              "networks",
     .regression = true})};

}  // namespace
}  // namespace kshot
