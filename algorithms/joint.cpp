// Joint training, then fine-tuning: the baseline that knows nothing of tasks. Finn et al. 2017,
// section 5.1, call it pretraining ("pretrained, step 1" in figure 2).
//
// One network is trained on the samples of all training tasks together, support and query alike, by
// the plain loss: nothing adapts in training. At test it is fine-tuned on a task's support set by
// gradient steps, as MAML's weights are. On sinusoids of every phase the network learns their mean,
// which says little; on classes whose labels change from task to task it learns nothing.
//
// Differences from the reference code (cbfinn/maml, pretrain_iterations):
// 1. There the loss is over the support points alone; here over support and query.
// 2. The paper tunes the step size at test; here it is `inner_lr`, as given.
#include "algorithms/maml.h"
#include "framework/model/initialise.h"

namespace kshot {
namespace {

class Joint final : public Maml {
 public:
  struct Options {
    double inner_lr = 0.01;
    int64_t test_inner_steps = 10;
    std::string batch_norm = "transductive";
    std::string head_init = "pytorch";

    void describe(Fields& fields) {
      fields.option("inner_lr", inner_lr,
                    {.help = "step size of fine-tuning", .symbol = "α", .min = 0, .max = 1000});
      fields.option("test_inner_steps", test_inner_steps,
                    {.help = "gradient steps on the support set at validation and test",
                     .min = 0,
                     .max = 10000});
      fields.option("batch_norm", batch_norm, batch_norm_option());
      fields.option("head_init", head_init,
                    {.help = "initial weights of the linear head", .one_of = initial_schemes()});
    }
  };

  Joint(const Options& options, BackbonePtr backbone)
      : Maml(fine_tuning(options), std::move(backbone)) {}

  TaskGradients learn(const ParamList& weights, const Episodes& tasks,
                      const Context&) const override {
    const ParamList leaves = weights.attach();
    const Tensor inputs = torch::cat({tasks.support.inputs, tasks.query.inputs}, 1);
    const Tensor targets = torch::cat({tasks.support.targets, tasks.query.targets}, 1);
    NormStatistics met;
    Forward forward{.norm = NormMode::batch, .met = &met, .training = true};
    const Tensor outputs = network().outputs(leaves, inputs, forward);
    const Tensor losses = task_loss(outputs, targets);
    TaskGradients result;
    result.gradients = gradients_of(losses.sum(), leaves);
    result.statistics = network_statistics(met);
    result.losses = losses.detach().unsqueeze(1);
    result.accuracy = task_accuracy(outputs, targets);
    return result;
  }

 private:
  static MamlSettings fine_tuning(const Options& options) {
    MamlSettings settings;
    settings.inner_lr = options.inner_lr;
    settings.test_inner_steps = options.test_inner_steps;
    settings.batch_norm = options.batch_norm;
    settings.head_init = options.head_init;
    return settings;
  }
};

const AlgorithmRegistration kJoint{algorithm_plugin<Joint>(
    {.name = "joint",
     .summary = "one network trained on all tasks together, fine-tuned on the support set at test",
     .paper = "Finn et al. 2017, Model-agnostic meta-learning for fast adaptation of deep "
              "networks",
     .regression = true})};

}  // namespace
}  // namespace kshot
