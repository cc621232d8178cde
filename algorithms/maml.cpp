// Model-agnostic meta-learning. Finn, Abbeel, Levine: "Model-agnostic meta-learning for fast
// adaptation of deep networks", ICML 2017.
//
// A task's weights are a few gradient steps on its support set away from the common weights theta:
// theta' = theta - alpha grad L_support(theta). The common weights are trained so that the query
// loss at theta' falls; its gradient goes through the steps, second derivatives included. At test
// the same steps, or more, adapt to each task.
//
// Differences from the reference code (cbfinn/maml):
// 1. There a training task's loss sums the cross-entropy of all images and divides by the shot, so
//    its step size acts N times as strongly as on a mean over images: `loss: class_sum` is that
//    sum, `mean` the default.
// 2. There batch norm has no gamma and its beta does not adapt: backbone.norm_gamma and adapt_norm
//    say so in the presets. It normalises by the batch at hand always (`transductive`).
// 3. The outer gradient is the mean over the meta-batch, as there; clipping it by value is
//    train.clip_value.
#include "algorithms/maml.h"

#include "framework/base/error.h"

namespace kshot {

void MamlSettings::describe_common(Fields& fields) {
  describe_shared(fields);
  fields.option("loss", loss,
                {.help = "of a task: mean over images, or their sum over the shot, which acts way "
                         "times as strongly (the reference code's)",
                 .one_of = {"mean", "class_sum"}});
}

Maml::Maml(const MamlSettings& settings, BackbonePtr backbone)
    : settings_(settings), network_(std::move(backbone), settings.head_init) {}

ParamList Maml::init(const Shapes& shapes, Stream stream) const {
  ParamList weights = network_.init(shapes, stream);
  for (const Param& own : own_learnables(weights)) weights.add(own);
  return weights;
}

ParamList Maml::own_learnables(const ParamList&) const { return {}; }

Tensor Maml::update(const ParamList&, const Param& param, const Tensor& gradient) const {
  return param.value.sub(gradient, settings_.inner_lr);
}

/// [T]. class_sum: the sum over a set's images, divided by the support set's shot.
Tensor Maml::losses_of(const Tensor& outputs, const Labelled& set, int64_t support_images) const {
  Tensor mean = task_loss(outputs, set.targets);
  if (settings_.loss == "mean") return mean;
  const auto shot = static_cast<double>(support_images) / static_cast<double>(outputs.size(2));
  return mean * (static_cast<double>(outputs.size(1)) / shot);
}

std::function<Tensor(const ParamList&)> Maml::support_losses(const ParamList& weights,
                                                             const Labelled& support,
                                                             bool training) const {
  Forward forward = support_forward(settings_.batch_norm, training);
  const int64_t images = support.inputs.size(1);
  if (settings_.adapting.what == "head") {
    // The body stays as it is: one pass through it serves every step.
    const Tensor features = network_.features(weights, support.inputs, forward);
    return [this, &support, images, features, forward](const ParamList& params) {
      return losses_of(network_.head(params, features, forward), support, images);
    };
  }
  return [this, &support, images, forward](const ParamList& params) mutable {
    return losses_of(network_.outputs(params, support.inputs, forward), support, images);
  };
}

TaskGradients Maml::learn(const ParamList& weights, const Episodes& tasks, const Context&) const {
  const ParamList leaves = weights.attach();
  ParamList adapted = one_copy_per_task(leaves, settings_.adapting, tasks.tasks());
  const auto support_losses_at = support_losses(leaves, tasks.support, /*training=*/true);
  std::vector<Tensor> losses;
  for (int64_t step = 0; step < settings_.inner_steps; ++step) {
    losses.push_back(support_losses_at(adapted));
    adapted = descend(
        adapted, settings_.adapting, losses.back(),
        [&](const Param& param, const Tensor& g) { return update(leaves, param, g); },
        settings_.second_order);
  }
  NormStatistics met;
  const Tensor outputs = query_outputs(network_, adapted, tasks.query.inputs, tasks.support.inputs,
                                       {settings_.batch_norm, /*training=*/true}, &met);
  losses.push_back(losses_of(outputs, tasks.query, tasks.support.inputs.size(1)));
  TaskGradients result;
  result.gradients = gradients_of(losses.back().sum(), leaves);
  result.statistics = network_statistics(met);
  result.losses = torch::stack(losses, 1).detach();
  result.accuracy = task_accuracy(outputs, tasks.query.targets);
  return result;
}

std::unique_ptr<Learner> Maml::adapt(const ParamList& weights, const Labelled& support,
                                     const Shapes& shapes, const Context&) const {
  check_outputs(weights, shapes);
  const torch::AutoGradMode with_gradients(true);
  std::vector<ParamList> by_step{cut_off(
      one_copy_per_task(weights, settings_.adapting, support.inputs.size(0)), settings_.adapting)};
  const auto support_losses_at = support_losses(by_step.front(), support, /*training=*/false);
  for (int64_t step = 0; step < settings_.steps_at_test(); ++step) {
    const ParamList adapted = descend(
        by_step.back(), settings_.adapting, support_losses_at(by_step.back()),
        [&](const Param& param, const Tensor& g) { return update(weights, param, g); },
        /*second_order=*/false);
    by_step.push_back(cut_off(adapted, settings_.adapting));
  }
  return std::make_unique<AdaptedNetwork>(network_, settings_.batch_norm, std::move(by_step),
                                          support.inputs);
}

namespace {

class PlainMaml final : public Maml {
 public:
  struct Options : MamlSettings {
    void describe(Fields& fields) {
      describe_common(fields);
      fields.option("second_order", second_order,
                    {.help = "the outer gradient goes through the inner gradients (MAML); false: "
                             "they are constants (FOMAML)"});
      fields.option("adapt", adapting.what,
                    {.help = "what adapts: every weight, the head alone (ANIL), or all but the "
                             "head (BOIL)",
                     .one_of = {"all", "head", "body"}});
      fields.option("adapt_norm", adapting.norms,
                    {.help = "batch norm's scale and shift adapt too"});
    }
  };
  PlainMaml(const Options& options, BackbonePtr backbone) : Maml(options, std::move(backbone)) {}
};

const AlgorithmRegistration kMaml{algorithm_plugin<PlainMaml>(
    {.name = "maml",
     .summary = "gradient steps on the support set, from weights trained through those steps",
     .paper = "Finn et al. 2017, Model-agnostic meta-learning for fast adaptation of deep "
              "networks",
     .regression = true})};

}  // namespace
}  // namespace kshot
