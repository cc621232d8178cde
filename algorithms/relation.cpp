// Relation networks. Sung, Yang, Zhang, Xiang, Torr, Hospedales: "Learning to compare: relation
// network for few-shot learning", 2018.
//
// What makes two images similar is learned, too. A backbone turns images into maps; the maps of a
// class's support images are added up; a second network, the relation module, looks at the class's
// map and a query's, one upon the other, and says by a number in [0,1] how well they go together.
// Both are trained on episodes so that this is 1 for the query's own class and 0 for the others,
// by mean squared error. The logits are these relation scores.
//
// As the reference code (floodsung/LearningToCompare_FSL) does it, and easy to get wrong:
// 1. Support and query images pass through the backbone one set after the other: each is a batch
//    of its own for batch norm. All pairs of a task's queries and classes are one batch in the
//    relation module.
// 2. The networks are never put into evaluation mode, so test uses the batch at hand, too: its
//    results are transductive (`batch_norm: transductive`, our default).
// 3. A class's map is the sum over its support images, not their mean.
// 4. The module's convolutions have zeros around for Omniglot (5x5 maps -> 1x1) and none for
//    miniImageNet (19x19 -> 3x3): option `padding`.
// Differences:
// 5. Gradients are clipped by the norm of both networks together (train.clip_norm); the code clips
//    each network by its own norm.
// 6. In the modes that the code does not have, the module meets the support images as queries:
//    `support` takes its statistics from all pairs of classes and support images, and
//    `support_plus_one` from these and one query's pairs, with one batch for support and query.
//    `running` follows both batches of item 1, the support set's first.
// 7. The backbone's initial weights are its own option; the module's are the code's.
#include <cmath>

#include "algorithms/support_set.h"
#include "framework/base/error.h"
#include "framework/model/conv_block.h"
#include "framework/model/initialise.h"
#include "framework/run/algorithm.h"

namespace kshot {
namespace {

/// Statistics that batch norm met in both networks.
struct Met {
  NormStatistics backbone, module;
};

/// One way to pass through both networks.
struct Pass {
  Forward backbone, module;

  Pass(NormMode norm, Met* met, const Met* given, bool training = false)
      : backbone{.norm = norm, .training = training}, module(backbone) {
    if (met != nullptr) backbone.met = &met->backbone;
    if (met != nullptr) module.met = &met->module;
    if (given != nullptr) backbone.given = &given->backbone;
    if (given != nullptr) module.given = &given->module;
  }
};

/// The sum of each class's maps: maps [T,S,C,h,w], labels [T,S] in [0, way) -> [T,way,C,h,w].
/// Throws Error if a class has no support image.
Tensor class_maps(const Tensor& maps, const Tensor& labels, int64_t way) {
  const Tensor members = class_members(labels, way, maps);  // [T,S,way]
  const Tensor sums = torch::bmm(members.transpose(1, 2), maps.flatten(2));
  return sums.unflatten(2, maps.sizes().slice(2));
}

/// Every query's map upon every class's: [T,way,C,h,w] and [T,Q,C,h,w] -> [T,Q*way,2C,h,w].
Tensor pairs(const Tensor& classes, const Tensor& queries) {
  const int64_t way = classes.size(1), images = queries.size(1);
  const Tensor left = classes.unsqueeze(1).expand({-1, images, -1, -1, -1, -1});
  const Tensor right = queries.unsqueeze(2).expand({-1, -1, way, -1, -1, -1});
  return torch::cat({left, right}, 3).flatten(1, 2);
}

class RelationNet final : public Algorithm {
 public:
  struct Options {
    std::string padding = "symmetric";
    int64_t channels = 64;
    int64_t hidden = 8;
    std::string batch_norm = "transductive";

    void describe(Fields& fields) {
      fields.option("padding", padding,
                    {.help = "zeros around the maps in the relation module's convolutions: one on "
                             "each side, or none",
                     .one_of = {"symmetric", "none"}});
      fields.option("channels", channels,
                    {.help = "filters of the relation module's two blocks", .min = 1, .max = 8192});
      fields.option("hidden", hidden,
                    {.help = "units of the relation module's hidden layer", .min = 1, .max = 8192});
      fields.option("batch_norm", batch_norm,
                    {.help = "statistics at test, in both networks: all queries', the support "
                             "set's, each query's with the support set, or running averages of "
                             "training",
                     .one_of = {"transductive", "support", "support_plus_one", "running"}});
    }
  };

  RelationNet(const Options& options, BackbonePtr backbone)
      : options_(options), backbone_(std::move(backbone)) {
    if (options_.padding == "none") block_.conv.padding = Conv2d::Padding::none;
  }

  ParamList init(const Shapes& shapes, Stream stream) const override {
    ParamList weights;
    weights.add("backbone", backbone_->init(shapes, stream.split(0)));
    weights.add("relation", init_module(backbone_->output_shape(shapes.input), stream.split(1)));
    return weights;
  }

  TaskGradients learn(const ParamList& weights, const Episodes& tasks,
                      const Context&) const override {
    const ParamList leaves = weights.attach();
    Met met;
    Pass pass(NormMode::batch, &met, nullptr, /*training=*/true);
    const Tensor support = maps(leaves, tasks.support.inputs, pass);
    const Tensor query = maps(leaves, tasks.query.inputs, pass);
    const Tensor classes = class_maps(support, tasks.support.targets, tasks.outputs);
    const Tensor scores = relate(leaves, classes, query, pass);
    const Tensor wanted = torch::one_hot(tasks.query.targets, tasks.outputs);
    const Tensor losses = task_mean_squared_error(scores, wanted.to(scores.scalar_type()));
    TaskGradients result;
    result.gradients = gradients_of(losses.sum(), leaves);
    result.statistics.add("backbone", running_buffers(met.backbone));
    result.statistics.add("relation", running_buffers(met.module));
    result.losses = losses.detach().unsqueeze(1);
    result.accuracy = task_accuracy(scores, tasks.query.targets);
    return result;
  }

  std::unique_ptr<Learner> adapt(const ParamList& weights, const Labelled& support,
                                 const Shapes& shapes, const Context&) const override;

  bool transductive() const override { return options_.batch_norm == "transductive"; }
  std::string batch_norm() const override { return options_.batch_norm; }

 private:
  friend class RelationLearner;

  /// Two blocks and two linear layers, for maps of the shape that the backbone announces.
  /// Throws Error(bad_spec) where these are no maps or too small.
  ParamList init_module(const std::vector<int64_t>& map, Stream stream) const {
    const int64_t pixels = size_after_blocks(map, 1) * size_after_blocks(map, 2);
    ParamList module;
    add_block(module, "block1", 2 * map[0], stream.split(0));
    add_block(module, "block2", options_.channels, stream.split(1));
    const auto add_linear = [&](const std::string& name, int64_t inputs, int64_t outputs,
                                const Stream& draws) {
      module.add({name + ".weight", normal_tensor({outputs, inputs}, 0.01, draws)});
      module.add({name + ".bias", torch::ones({outputs})});
    };
    add_linear("fc1", options_.channels * pixels, options_.hidden, stream.split(2));
    add_linear("fc2", options_.hidden, 1, stream.split(3));
    return module;
  }

  /// Height or width after the module's two blocks.
  int64_t size_after_blocks(const std::vector<int64_t>& map, size_t axis) const {
    if (map.size() != 3) {
      throw Error(Exit::bad_spec,
                  "algorithm relation compares maps [C,h,w], but the backbone gives features [{}]: "
                  "set backbone.features to \"map\"",
                  fmt::join(map, ","));
    }
    int64_t size = map[axis];
    for (int block = 0; block < 2; ++block) {
      size = std::max<int64_t>(0, options_.padding == "none" ? size - 2 : size) / 2;
    }
    if (size < 1) {
      throw Error(Exit::bad_spec,
                  "the backbone's maps of {}x{} are too small for algorithm.padding \"{}\": the "
                  "relation module's two blocks need {} pixels a side; lower "
                  "backbone.reduced_blocks, or take larger images",
                  map[1], map[2], options_.padding, options_.padding == "none" ? 10 : 4);
    }
    return size;
  }

  void add_block(ParamList& module, const std::string& name, int64_t inputs,
                 const Stream& stream) const {
    const int64_t outputs = options_.channels;
    const double std = std::sqrt(2.0 / static_cast<double>(3 * 3 * outputs));
    module.add({name + ".conv.weight", normal_tensor({outputs, inputs, 3, 3}, std, stream)});
    module.add({name + ".conv.bias", torch::zeros({outputs})});
    module.add({name + ".norm.weight", torch::ones({outputs})});
    module.add({name + ".norm.bias", torch::zeros({outputs})});
    module.add({name + ".norm.running_mean", torch::zeros({outputs}), Role::buffer});
    module.add({name + ".norm.running_var", torch::ones({outputs}), Role::buffer});
  }

  /// The embedding: images [T,N,...] -> maps [T,N,C,h,w]. The module computes with the kernels
  /// that the backbone was given.
  Tensor maps(const ParamList& weights, const Tensor& images, Pass& pass) const {
    const Tensor result = backbone_->features(weights.scope("backbone"), images, pass.backbone);
    pass.module.kernels = pass.backbone.kernels;
    return result;
  }

  /// Relation scores (Sung et al. 2018, eq. 1): [T,way,C,h,w] and [T,Q,C,h,w] -> [T,Q,way].
  Tensor relate(const ParamList& weights, const Tensor& classes, const Tensor& queries,
                Pass& pass) const {
    const ParamList module = weights.scope("relation");
    Tensor x = pairs(classes, queries);
    x = conv_block(x, module, "block1", block_, pass.module);
    x = conv_block(x, module, "block2", block_, pass.module);
    x = torch::relu(linear(x.flatten(2), module["fc1.weight"], module["fc1.bias"]));
    x = torch::sigmoid(linear(x, module["fc2.weight"], module["fc2.bias"]));
    return x.squeeze(-1).unflatten(1, {queries.size(1), classes.size(1)});
  }

  Options options_;
  BackbonePtr backbone_;
  ConvBlock block_;
};

/// Holds the classes' maps, or, where batch norm lets the queries move them, the support set.
class RelationLearner final : public Learner {
 public:
  RelationLearner(const RelationNet& method, const ParamList& weights, const Labelled& support,
                  int64_t way)
      : method_(method), weights_(weights), support_(support), way_(way) {
    const std::string& mode = method_.options_.batch_norm;
    if (mode == "support_plus_one") return;
    Pass pass(mode == "running" ? NormMode::running : NormMode::batch, &met_, nullptr);
    const Tensor maps = method_.maps(weights_, support_.inputs, pass);
    classes_ = class_maps(maps, support_.targets, way_);
    if (mode == "support") method_.relate(weights_, classes_, maps, pass);  // for what it meets
  }

  Tensor logits(const Tensor& query) const override {
    const std::string& mode = method_.options_.batch_norm;
    if (mode == "support_plus_one") {
      std::vector<Tensor> one_by_one;
      for (int64_t j = 0; j < query.size(1); ++j)
        one_by_one.push_back(beside_support(query.narrow(1, j, 1)));
      return torch::cat(one_by_one, 1);
    }
    Pass pass(mode == "running"        ? NormMode::running
              : mode == "transductive" ? NormMode::batch
                                       : NormMode::given,
              nullptr, &met_);
    const Tensor maps = method_.maps(weights_, query, pass);
    return method_.relate(weights_, classes_, maps, pass);
  }

 private:
  /// One batch of the support set and a query [T,1,...], in both networks.
  Tensor beside_support(const Tensor& query) const {
    const int64_t images = support_.inputs.size(1);
    Pass pass(NormMode::batch, nullptr, nullptr);
    const Tensor maps = method_.maps(weights_, torch::cat({support_.inputs, query}, 1), pass);
    const Tensor classes = class_maps(maps.narrow(1, 0, images), support_.targets, way_);
    return method_.relate(weights_, classes, maps, pass).narrow(1, images, 1);
  }

  const RelationNet& method_;
  ParamList weights_;
  Labelled support_;
  int64_t way_;
  Met met_;
  Tensor classes_;
};

std::unique_ptr<Learner> RelationNet::adapt(const ParamList& weights, const Labelled& support,
                                            const Shapes& shapes, const Context&) const {
  return std::make_unique<RelationLearner>(*this, weights, support, shapes.outputs);
}

const AlgorithmRegistration kRelation{algorithm_plugin<RelationNet>(
    {.name = "relation",
     .summary = "a network that learns to say how well a query and a class go together",
     .paper = "Sung et al. 2018, Learning to compare: relation network for few-shot learning",
     .needs_map = true})};

}  // namespace
}  // namespace kshot
