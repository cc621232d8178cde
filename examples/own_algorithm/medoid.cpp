// Nearest medoid: an example of an algorithm that lives outside kshot's tree.
//
//   cmake --preset release -DKSHOT_PLUGINS=examples/own_algorithm && make
//   build/kshot run demo --set algorithm.name=medoid
//
// ProtoNet (Snell et al. 2017) with another centre: a class is stood for by its medoid, the support
// feature with the smallest summed distance to the other support features of the class (Kaufman &
// Rousseeuw 1987, "Clustering by means of medoids"). Logits are negative squared distances to the
// medoids; the network is trained on episodes with their cross-entropy. One odd image cannot draw a
// medoid away as it does a mean, but the other images' features are lost.
//
// The plugin of a paper lists here, by number, where it differs from the reference code.
#include <limits>

#include "framework/base/error.h"
#include "framework/model/task_ops.h"
#include "framework/run/algorithm.h"

namespace kshot {
namespace {

/// Summed distances that differ by no more than this share are a tie: float32 rounds that much.
constexpr double kTie = 1e-5;

/// The medoid of each class. Tied features are averaged, so that their order cannot matter: two
/// shots always tie, and have their mean for a medoid.
/// features [T,S,F], labels [T,S] in [0, way) -> [T,way,F].
/// Throws Error if a class has no support image.
Tensor medoids(const Tensor& features, const Tensor& labels, int64_t way, bool squared) {
  Tensor share;  // [T,way,S]: how much of each support feature is in each medoid
  {
    const torch::NoGradGuard no_grad;  // the choice has no useful gradient; what is chosen has
    const Tensor d = squared_distances(features, features);  // [T,S,S]
    Tensor distances = (d + d.transpose(1, 2)) / 2;          // symmetric to the last bit,
    distances.diagonal(0, 1, 2).zero_();                     // and of a feature to itself, zero
    if (!squared) distances = distances.sqrt();

    const Tensor same = labels.unsqueeze(2).eq(labels.unsqueeze(1));  // [T,S,S]
    const Tensor sums = (distances * same).sum(2).unsqueeze(1);       // [T,1,S]
    const Tensor member =
        torch::one_hot(labels, way).transpose(1, 2).to(torch::kBool);  // [T,way,S]
    if (!member.any(2).all().item<bool>())
      throw Error(Exit::bad_data, "a class has no support image: medoids need 1 shot at least");
    const Tensor own = torch::where(member, sums, std::numeric_limits<double>::infinity());
    const Tensor chosen = own <= own.amin(2, /*keepdim=*/true) * (1 + kTie);
    share = chosen.to(features.scalar_type());
    share = share / share.sum(2, /*keepdim=*/true);
  }
  return torch::bmm(share, features);
}

class Medoid final : public Algorithm {
 public:
  // Each option is written once. From this come: reading the spec, defaults in the record, range
  // checks, errors that name the nearest known key, and `kshot describe algorithm medoid`.
  struct Options {
    std::string distance = "euclidean";
    std::string batch_norm = "running";

    void describe(Fields& fields) {
      fields.option("distance", distance,
                    {.help = "what is summed to find the medoid; squared, it is the feature "
                             "nearest to the class mean",
                     .one_of = {"euclidean", "squared"}});
      fields.option("batch_norm", batch_norm,
                    {.help = "statistics at test: running averages of training, or those of the "
                             "support set and all queries together",
                     .one_of = {"running", "transductive"}});
    }
  };

  Medoid(const Options& options, BackbonePtr backbone)
      : options_(options), backbone_(std::move(backbone)) {}

  /// Names are scoped: "backbone.block1.conv.weight" in checkpoints and messages.
  ParamList init(const Shapes& shapes, Stream stream) const override {
    ParamList weights;
    weights.add("backbone", backbone_->init(shapes, stream));
    return weights;
  }

  /// T tasks of a training step. Every tensor has the task axis in front, so the engine may pass
  /// one task or many.
  TaskGradients learn(const ParamList& weights, const Episodes& tasks,
                      const Context&) const override {
    const ParamList leaves =
        weights.attach();  // gradients go to these; the weights stay as they are
    NormStatistics met;    // what batch norm meets moves the running averages
    Forward forward{.norm = NormMode::batch, .met = &met, .training = true};
    const Tensor logits =
        classify(leaves, tasks.support, tasks.query.inputs, tasks.outputs, forward);
    const Tensor losses = task_cross_entropy(logits, tasks.query.targets);  // [T]

    TaskGradients result;
    result.gradients = gradients_of(losses.sum(), leaves);  // the sum; the trainer divides by T
    result.statistics.add("backbone", running_buffers(met));
    result.losses = losses.detach().unsqueeze(1);
    result.accuracy = task_accuracy(logits, tasks.query.targets);
    return result;
  }

  std::unique_ptr<Learner> adapt(const ParamList& weights, const Labelled& support,
                                 const Shapes& shapes, const Context&) const override {
    return std::make_unique<Adapted>(*this, weights, support, shapes.outputs);
  }

  // Only where all queries share one batch can one of them move another's logits. A test changes
  // a query, looks at the others, and compares with what is said here.
  bool transductive() const override { return options_.batch_norm == "transductive"; }
  std::string batch_norm() const override { return options_.batch_norm; }

 private:
  /// What adapt() gives: nothing is learned at test, so the support set is all there is to keep.
  class Adapted final : public Learner {
   public:
    Adapted(const Medoid& method, ParamList weights, Labelled support, int64_t way)
        : method_(method), weights_(std::move(weights)), support_(std::move(support)), way_(way) {}

    Tensor logits(const Tensor& query) const override {
      Forward forward{.norm = method_.transductive() ? NormMode::batch : NormMode::running};
      return method_.classify(weights_, support_, query, way_, forward);
    }

   private:
    const Medoid& method_;
    ParamList weights_;
    Labelled support_;
    int64_t way_;
  };

  /// Support and queries go through the network together. query [T,Q,C,H,W] -> logits [T,Q,way].
  Tensor classify(const ParamList& weights, const Labelled& support, const Tensor& query,
                  int64_t way, Forward& forward) const {
    const int64_t S = support.inputs.size(1), Q = query.size(1);
    const Tensor images = torch::cat({support.inputs, query}, 1);
    const Tensor features =
        backbone_->features(weights.scope("backbone"), images, forward).flatten(2);  // [T,S+Q,F]
    const Tensor centres =
        medoids(features.narrow(1, 0, S), support.targets, way, options_.distance == "squared");
    return -squared_distances(features.narrow(1, S, Q), centres);
  }

  Options options_;
  BackbonePtr backbone_;
};

// The one registration: the name for specs, and the facts that `kshot describe` shows.
const AlgorithmRegistration kMedoid{
    algorithm_plugin<Medoid>({.name = "medoid",
                              .summary = "nearest class medoid in a learned feature space",
                              .paper = "an example; after Snell et al. 2017"})};

}  // namespace
}  // namespace kshot
