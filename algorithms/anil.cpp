// Almost no inner loop. Raghu, Raghu, Bengio, Vinyals: "Rapid learning or feature reuse? Towards
// understanding the effectiveness of MAML", ICLR 2020.
//
// MAML whose head alone adapts to a task: the body is trained by the outer gradient and stays as it
// is within a task. Features of support and query are therefore those of one network.
//
// Differences from the reference code (learn2learn's ANIL): none in the gradients (golden test);
// there, too, support and query images pass through the body in batches of their own.
#include "algorithms/maml.h"

namespace kshot {
namespace {

class Anil final : public Maml {
 public:
  struct Options : MamlSettings {
    void describe(Fields& fields) {
      describe_common(fields);
      fields.option("second_order", second_order,
                    {.help = "the outer gradient goes through the inner gradients"});
    }
  };
  Anil(const Options& options, BackbonePtr backbone)
      : Maml(of_head(options), std::move(backbone)) {}

 private:
  static MamlSettings of_head(MamlSettings settings) {
    settings.adapting.what = "head";
    return settings;
  }
};

const AlgorithmRegistration kAnil{
    algorithm_plugin<Anil>({.name = "anil",
                            .summary = "MAML whose head alone adapts",
                            .paper = "Raghu et al. 2020, Rapid learning or feature reuse?",
                            .regression = true})};

}  // namespace
}  // namespace kshot
