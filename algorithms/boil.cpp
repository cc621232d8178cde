// Body only update in the inner loop. Oh, Yoo, Kim, Yun: "BOIL: towards representation change for
// few-shot learning", ICLR 2021.
//
// MAML whose body alone adapts: the head keeps its common weights within a task, so features must
// move towards it. (The paper's head has an inner step size of zero: the same.)
//
// Differences from the reference code (jhoon-oh/BOIL): none known in the gradients; that code is
// built on torchmeta's MAML, with batch statistics of the batch at hand.
#include "algorithms/maml.h"

namespace kshot {
namespace {

class Boil final : public Maml {
 public:
  struct Options : MamlSettings {
    void describe(Fields& fields) {
      describe_common(fields);
      fields.option("second_order", second_order,
                    {.help = "the outer gradient goes through the inner gradients"});
      fields.option("adapt_norm", adapting.norms,
                    {.help = "batch norm's scale and shift adapt too"});
    }
  };
  Boil(const Options& options, BackbonePtr backbone)
      : Maml(of_body(options), std::move(backbone)) {}

 private:
  static MamlSettings of_body(MamlSettings settings) {
    settings.adapting.what = "body";
    return settings;
  }
};

const AlgorithmRegistration kBoil{algorithm_plugin<Boil>(
    {.name = "boil",
     .summary = "MAML whose body alone adapts",
     .paper = "Oh et al. 2021, BOIL: towards representation change for few-shot learning",
     .regression = true})};

}  // namespace
}  // namespace kshot
