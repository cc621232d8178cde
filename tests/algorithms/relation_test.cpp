// Relation networks: the arithmetic in numbers worked out by hand, the statistics of batch norm,
// and learn() against central differences.
#include "tests/algorithms/tiny_training.h"
#include "tests/base/caught.h"
#include "tests/doctest_torch.h"

namespace kshot::relation_test {

using test::difference;
using test::make_algorithm;

/// The maps of an image are its channels.
class ImageBackbone final : public Backbone {
 public:
  ParamList init(const Shapes&, Stream) const override { return {}; }
  Tensor features(const ParamList&, const Tensor& images, Forward&) const override {
    return images;
  }
  std::vector<int64_t> output_shape(std::span<const int64_t> input) const override {
    return {input.begin(), input.end()};
  }
};

/// One filter, one hidden unit, images 1x4x4.
struct OneFilter {
  std::unique_ptr<const Algorithm> algorithm = make_algorithm(
      {{"name", "relation"}, {"channels", 1}, {"hidden", 1}, {"batch_norm", "running"}},
      std::make_shared<const ImageBackbone>());
  ParamList weights = algorithm->init({{1, 4, 4}, 2}, Stream(0, Purpose::initialisation, 0))
                          .to(torch::kCPU, torch::kDouble)
                          .clone();

  /// The first block takes `of_class` times the class's pixel plus `of_query` times the query's;
  /// the second passes on. With running variances 1 - eps batch norm changes nothing.
  OneFilter(double of_class, double of_query) {
    for (Param& param : weights) {
      if (param.name.ends_with("conv.weight")) param.value.zero_();
      if (param.name.ends_with("running_var")) param.value.fill_(1 - 1e-5);
    }
    Tensor first = weights["relation.block1.conv.weight"];
    first[0][0][1][1] = of_class;
    first[0][1][1][1] = of_query;
    weights["relation.block2.conv.weight"][0][0][1][1] = 1;
    set("relation.fc1", 2, 0.5);
    set("relation.fc2", -1, 0.25);
  }

  void set(const std::string& layer, double weight, double bias) {
    weights[layer + ".weight"].fill_(weight);
    weights[layer + ".bias"].fill_(bias);
  }
};

/// Images that are one brightness all over.
Tensor plain_images(const std::vector<double>& brightness) {
  return torch::tensor(brightness, torch::kDouble).view({1, -1, 1, 1, 1}).expand({1, -1, 1, 4, 4});
}

Labelled labelled(const std::vector<double>& brightness, const std::vector<int64_t>& labels) {
  return {plain_images(brightness), torch::tensor(labels, torch::kLong).unsqueeze(0)};
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

TEST_CASE("a score is the module's answer to the sum of a class's maps and the query's map") {
  const OneFilter net(0.3, -0.1);
  const std::vector<uint64_t> task{0};
  // Class 0 has brightness 1 + 4, class 1 has 2 + 0.5.
  const auto learner = net.algorithm->adapt(net.weights, labelled({1, 2, 4, 0.5}, {0, 1, 0, 1}),
                                            {{1, 4, 4}, 2}, Context{.tasks = task});
  const Tensor scores = learner->logits(plain_images({1, 10, 8}));
  const auto score = [](double of_class, double query) {
    const double relation = std::max(0.0, 0.3 * of_class - 0.1 * query);
    return sigmoid(-1 * std::max(0.0, 2 * relation + 0.5) + 0.25);
  };
  const Tensor expected = torch::tensor(
      {{score(5, 1), score(2.5, 1)}, {score(5, 10), score(2.5, 10)}, {score(5, 8), score(2.5, 8)}},
      torch::kDouble);
  CHECK(expected[1][1].item<double>() == sigmoid(-0.25));  // the ReLU has cut
  CHECK(difference(scores[0], expected) <= 1e-12);
}

TEST_CASE("the loss is the mean square of what scores lack of 1 and 0") {
  OneFilter net(3, -1);
  net.set("relation.fc2", 0, std::log(3.0));  // every score is 3/4
  const std::vector<uint64_t> task{0};
  Episodes episodes{labelled({1, 2}, {0, 1}), labelled({1, 2, 3}, {0, 1, 1}), 2, {}};
  episodes.plans.resize(1);
  const TaskGradients learned =
      net.algorithm->learn(net.weights, episodes, Context{.training = true, .tasks = task});
  // Each query has one class at 1/4 from 1 and one at 3/4 from 0.
  CHECK(std::abs(learned.losses.item<double>() - (1.0 / 16 + 9.0 / 16) / 2) <= 1e-12);
  // d loss / d bias = mean of 2 (s - y) s (1 - s).
  const double slope = 2 * (-0.25 + 0.75) / 2 * 0.75 * 0.25;
  CHECK(std::abs(learned.gradients["relation.fc2.bias"].item<double>() - slope) <= 1e-12);
}

TEST_CASE("support and query images are batches of their own, and all pairs are one") {
  const auto algorithm =
      make_algorithm({{"name", "relation"}, {"channels", 4}},
                     test::tiny_backbone({{"features", "map"}, {"reduced_blocks", 1}}));
  const ParamList weights = test::shaken_weights(*algorithm);
  const Episodes tasks = test::random_tasks(1);
  const std::vector<uint64_t> indices{0};
  const TaskGradients learned =
      algorithm->learn(weights, tasks, Context{.training = true, .tasks = indices});
  std::vector<Tensor> means;
  for (const Param& met : learned.statistics) {
    if (met.name == "backbone.block1.norm.running_mean") means.push_back(met.value);
  }
  REQUIRE(means.size() == 2);
  const auto mean_of = [&](const Tensor& images) {
    const Tensor maps = torch::conv2d(images[0], weights["backbone.block1.conv.weight"],
                                      weights["backbone.block1.conv.bias"], 1, 1);
    return maps.mean({0, 2, 3}).unsqueeze(0);
  };
  CHECK(difference(means[0], mean_of(tasks.support.inputs)) <= 1e-10);
  CHECK(difference(means[1], mean_of(tasks.query.inputs)) <= 1e-10);
}

TEST_CASE("the module follows the backbone's kernels: fast and reference agree") {
  const Episodes tasks = test::random_tasks(1);
  const std::vector<uint64_t> indices{0};
  const auto learned = [&](Kernels kernels) {
    const auto algorithm =
        make_algorithm({{"name", "relation"}},
                       test::tiny_backbone({{"features", "map"}, {"reduced_blocks", 1}}, kernels));
    return algorithm->learn(test::shaken_weights(*algorithm, 0.05), tasks,
                            Context{.training = true, .tasks = indices});
  };
  const TaskGradients fast = learned(Kernels::fast), reference = learned(Kernels::reference);
  CHECK(difference(fast.losses, reference.losses) <= 1e-10);
  for (size_t k = 0; k < fast.gradients.size(); ++k) {
    CHECK(difference(fast.gradients.at(k).value, reference.gradients.at(k).value) <= 1e-8);
  }
}

// ---- what does not fit is refused

std::string refusal(const Json& backbone, const Json& options, int64_t size) {
  Json all = options;
  all["name"] = "relation";
  const auto error = test::caught([&] {
    make_algorithm(all, test::tiny_backbone(backbone))
        ->init({{1, size, size}, 5}, Stream(0, Purpose::initialisation, 0));
  });
  if (!error) return "";
  CHECK(error->code() == Exit::bad_spec);
  return error->what();
}

TEST_CASE("a backbone without maps, and maps that are too small, are refused by name") {
  CHECK(refusal(Json::object(), Json::object(), 28).find("set backbone.features to \"map\"") !=
        std::string::npos);
  const Json map{{"features", "map"}};
  CHECK(refusal(map, Json::object(), 16) == "");  // 4x4
  CHECK(refusal(map, Json::object(), 15).find("maps of 3x3 are too small") != std::string::npos);
  CHECK(refusal(map, {{"padding", "none"}}, 40) == "");  // 10x10
  CHECK(refusal(map, {{"padding", "none"}}, 39).find("need 10 pixels a side") != std::string::npos);
}

TEST_CASE("the papers' modules have the sizes that their code has") {
  const auto inputs_of_fc1 = [](const std::string& padding, const std::vector<int64_t>& image) {
    const Json conv4{
        {"name", "conv4"}, {"features", "map"}, {"reduced_blocks", 2}, {"unpadded_blocks", 2}};
    const auto algorithm =
        make_algorithm({{"name", "relation"}, {"padding", padding}},
                       Registry<BackbonePlugin>::instance().find("conv4").make(conv4));
    const ParamList weights = algorithm->init({image, 5}, Stream(0, Purpose::initialisation, 0));
    CHECK(weights["relation.block1.conv.weight"].sizes() == torch::IntArrayRef({64, 128, 3, 3}));
    return weights["relation.fc1.weight"].size(1);
  };
  CHECK(inputs_of_fc1("symmetric", {1, 28, 28}) == 64);
  CHECK(inputs_of_fc1("none", {3, 84, 84}) == 64 * 3 * 3);
}

// ---- training

TEST_CASE("learn is the gradient of its losses") {
  const Episodes tasks = test::random_tasks(2);
  const std::vector<uint64_t> indices{0, 1};
  const Context context{.training = true, .tasks = indices};
  const Json map{{"features", "map"}, {"reduced_blocks", 1}};
  for (const Kernels kernels : {Kernels::reference, Kernels::fast}) {
    const auto algorithm =
        make_algorithm({{"name", "relation"}, {"channels", 4}}, test::tiny_backbone(map, kernels));
    const auto error =
        test::learn_gradient_error(*algorithm, test::shaken_weights(*algorithm), tasks, context);
    CAPTURE(error.parameter);
    CHECK(error.worst <= 1e-5);
  }
}

TEST_CASE("a short training beats the untrained network on new characters") {
  for (const std::string mode : {"transductive", "running"}) {
    CAPTURE(mode);
    const auto algorithm = make_algorithm(
        {{"name", "relation"}, {"channels", 16}, {"batch_norm", mode}},
        test::tiny_backbone({{"channels", 8}, {"features", "map"}, {"reduced_blocks", 1}}));
    const double untrained = test::glyph_accuracy(*algorithm, 0, 0.005);
    const double trained = test::glyph_accuracy(*algorithm, 200, 0.005);
    MESSAGE("untrained ", untrained, ", trained ", trained);
    CHECK(trained > untrained + 0.05);
  }
}

}  // namespace kshot::relation_test
