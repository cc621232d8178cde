// Properties that every registered algorithm and backbone must have, in every mode that its options
// offer. A new plugin is covered by being registered.
#include <algorithm>
#include <cmath>

#include "framework/run/algorithm.h"
#include "tests/doctest_torch.h"
#include "tests/model/reduced_networks.h"

namespace kshot::conformance_test {

constexpr int64_t kWay = 3, kShot = 2, kQuery = 4;
const std::vector<int64_t> kImage{1, 12, 12};

Tensor random_tensor(const std::vector<int64_t>& shape, uint64_t index) {
  Stream stream(17, Purpose::algorithm, index);
  Tensor tensor = torch::empty(shape, torch::kDouble);
  for (int64_t i = 0; i < tensor.numel(); ++i) tensor.view(-1)[i] = stream.uniform();
  return tensor;
}

Labelled random_set(int64_t tasks, int64_t per_class, int64_t classes, uint64_t index) {
  const int64_t images = per_class * classes;
  const Tensor labels =
      torch::arange(images).remainder(classes).unsqueeze(0).expand({tasks, -1}).contiguous();
  return {random_tensor({tasks, images, kImage[0], kImage[1], kImage[2]}, index), labels};
}

Episodes random_episodes(int64_t tasks, Feeds feeds) {
  const bool minibatch = feeds == Feeds::minibatches;
  Episodes episodes{random_set(tasks, minibatch ? 0 : kShot, kWay, 1),
                    random_set(tasks, kQuery, kWay, 2),
                    kWay,
                    {}};
  for (int64_t t = 0; t < tasks; ++t) {
    episodes.plans.push_back({});
    episodes.plans.back().index = 100 + static_cast<uint64_t>(t);
  }
  return episodes;
}

std::vector<uint64_t> indices_of(const Episodes& episodes) {
  std::vector<uint64_t> indices;
  for (const TaskPlan& plan : episodes.plans) indices.push_back(plan.index);
  return indices;
}

/// An algorithm under one set of options.
struct Subject {
  std::string description;
  AlgorithmFacts facts;
  std::unique_ptr<const Algorithm> algorithm;
  ParamList weights;
};

/// On fast kernels, which experiments have unless they ask for others. Methods that look at maps
/// get them in full size: they may halve them themselves.
Subject subject_of(const AlgorithmPlugin& plugin, const Json& block) {
  Json network{{"name", "conv4"}, {"blocks", 2}, {"channels", 4}};
  if (plugin.facts.needs_map) network.update({{"features", "map"}, {"reduced_blocks", 0}});
  const auto backbone =
      with_kernels(Registry<BackbonePlugin>::instance().find("conv4").make(network), Kernels::fast);
  Subject subject{block.dump(), plugin.facts, plugin.make(block, backbone), {}};
  subject.weights = subject.algorithm->init({kImage, kWay}, Stream(3, Purpose::initialisation, 0))
                        .to(torch::kCPU, torch::kDouble)
                        .clone();
  return subject;
}

/// The blocks of an algorithm: its defaults, and each value of each option that offers a choice.
std::vector<Json> all_blocks(const AlgorithmPlugin& plugin) {
  const std::string& name = plugin.facts.name;
  std::vector<Json> blocks;
  blocks.push_back({{"name", name}});
  for (const OptionRow& row : plugin.options()) {
    for (const std::string& value : row.option.one_of) {
      if (row.default_value != value) blocks.push_back({{"name", name}, {row.path, value}});
    }
    if (row.default_value.is_boolean())
      blocks.push_back({{"name", name}, {row.path, !row.default_value.get<bool>()}});
  }
  return blocks;
}

std::vector<Subject> all_subjects() {
  std::vector<Subject> subjects;
  const auto& registry = Registry<AlgorithmPlugin>::instance();
  for (const std::string& name : registry.names()) {
    const AlgorithmPlugin& plugin = registry.find(name);
    for (const Json& block : all_blocks(plugin)) subjects.push_back(subject_of(plugin, block));
  }
  return subjects;
}

template <class Check>
void for_every_algorithm(Check check) {
  for (const Subject& subject : all_subjects()) {
    CAPTURE(subject.description);
    check(subject);
  }
}

TaskGradients learn(const Subject& subject, const Episodes& episodes) {
  const auto indices = indices_of(episodes);
  return subject.algorithm->learn(
      subject.weights, episodes,
      Context{.iteration = 5, .iterations = 10, .training = true, .seed = 9, .tasks = indices});
}

Tensor logits(const Subject& subject, const Episodes& episodes) {
  const auto indices = indices_of(episodes);
  const auto learner = subject.algorithm->adapt(subject.weights, episodes.support, {kImage, kWay},
                                                Context{.seed = 9, .tasks = indices});
  const torch::NoGradGuard no_grad;
  return learner->logits(episodes.query.inputs);
}

bool same_bits(const ParamList& a, const ParamList& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!torch::equal(a.at(i).value, b.at(i).value)) return false;
  }
  return true;
}

double distance(const ParamList& a, const ParamList& b) {
  double squares = 0;
  for (size_t i = 0; i < a.size(); ++i)
    squares += (a.at(i).value - b.at(i).value).square().sum().item<double>();
  return std::sqrt(squares);
}

double norm(const ParamList& a) {
  double squares = 0;
  for (const Param& param : a) squares += param.value.square().sum().item<double>();
  return std::sqrt(squares);
}

TEST_CASE("an algorithm is transductive exactly if changing a query moves other queries' logits") {
  for_every_algorithm([](const Subject& subject) {
    Episodes episodes = random_episodes(1, Feeds::episodes);
    const Tensor before = logits(subject, episodes);
    episodes.query.inputs = episodes.query.inputs.clone();
    episodes.query.inputs[0][0] = random_tensor(kImage, 77) * 3;
    const Tensor after = logits(subject, episodes);
    CHECK_FALSE(torch::equal(before[0][0], after[0][0]));
    const bool moved =
        (before - after).narrow(1, 1, before.size(1) - 1).abs().max().item<double>() > 1e-12;
    CHECK(moved == subject.algorithm->transductive());
  });
}

TEST_CASE("task i alone equals task i in a batch: gradients, losses, statistics, logits") {
  for_every_algorithm([](const Subject& subject) {
    const Episodes episodes = random_episodes(3, subject.facts.feeds);
    const TaskGradients together = learn(subject, episodes);
    ParamList sum;
    for (int64_t t = 0; t < 3; ++t) {
      const TaskGradients alone = learn(subject, episodes.slice(t, 1));
      CHECK(torch::allclose(alone.losses, together.losses.narrow(0, t, 1), 1e-10, 1e-12));
      CHECK(torch::equal(alone.accuracy, together.accuracy.narrow(0, t, 1)));
      REQUIRE(alone.statistics.size() == together.statistics.size());
      for (size_t k = 0; k < alone.statistics.size(); ++k) {
        const Tensor of_batch = together.statistics.at(k).value.narrow(0, t, 1);
        CHECK(torch::allclose(alone.statistics.at(k).value, of_batch, 1e-10, 1e-12));
      }
      std::vector<Tensor> values = alone.gradients.values();
      for (size_t k = 0; t > 0 && k < values.size(); ++k) values[k] = values[k] + sum.at(k).value;
      sum = alone.gradients.with_values(values);
    }
    CHECK(distance(sum, together.gradients) <= 1e-10 * norm(together.gradients) + 1e-14);

    const Episodes tests = random_episodes(3, Feeds::episodes);
    const Tensor all = logits(subject, tests);
    for (int64_t t = 0; t < 3; ++t) {
      CHECK(torch::allclose(logits(subject, tests.slice(t, 1)), all.narrow(0, t, 1), 1e-10, 1e-12));
    }
  });
}

TEST_CASE("learning and adapting are pure: the same bits twice, weights and data untouched") {
  for_every_algorithm([](const Subject& subject) {
    const Episodes episodes = random_episodes(2, subject.facts.feeds);
    const Episodes tests = random_episodes(2, Feeds::episodes);
    const ParamList weights = subject.weights.clone();
    const Tensor pixels = episodes.query.inputs.clone();
    const TaskGradients first = learn(subject, episodes);
    const Tensor first_logits = logits(subject, tests);
    const TaskGradients second = learn(subject, episodes);
    CHECK(same_bits(first.gradients, second.gradients));
    CHECK(torch::equal(first.losses, second.losses));
    CHECK(torch::equal(first_logits, logits(subject, tests)));
    CHECK(same_bits(weights, subject.weights));
    CHECK(torch::equal(pixels, episodes.query.inputs));
  });
}

TEST_CASE("shapes: a gradient per learnable, losses and accuracy per task, logits per query") {
  for_every_algorithm([](const Subject& subject) {
    const Episodes episodes = random_episodes(2, subject.facts.feeds);
    const TaskGradients learned = learn(subject, episodes);
    const ParamList learnable = subject.weights.with_role(Role::learnable);
    REQUIRE(learned.gradients.size() == learnable.size());
    for (size_t k = 0; k < learnable.size(); ++k) {
      CHECK(learned.gradients.at(k).name == learnable.at(k).name);
      CHECK(learned.gradients.at(k).value.sizes() == learnable.at(k).value.sizes());
      CHECK_FALSE(learned.gradients.at(k).value.requires_grad());
    }
    for (const Param& met : learned.statistics) {
      const Param* buffer = subject.weights.find(met.name);
      REQUIRE_MESSAGE(buffer != nullptr, met.name);
      CHECK(buffer->role == Role::buffer);
      CHECK(met.value[0].sizes() == buffer->value.sizes());
    }
    CHECK(learned.losses.dim() == 2);
    CHECK(learned.losses.size(0) == 2);
    CHECK(learned.accuracy.sizes() == torch::IntArrayRef({2}));
    CHECK(logits(subject, random_episodes(2, Feeds::episodes)).sizes() ==
          torch::IntArrayRef({2, kWay * kQuery, kWay}));
  });
}

TEST_CASE("the logits of a query do not depend on the order of the queries") {
  for_every_algorithm([](const Subject& subject) {
    const Episodes episodes = random_episodes(1, Feeds::episodes);
    Episodes turned = episodes;
    turned.query = {episodes.query.inputs.flip(1), episodes.query.targets.flip(1)};
    CHECK(torch::allclose(logits(subject, turned).flip(1), logits(subject, episodes), 1e-9, 1e-10));
  });
}

TEST_CASE("the order of the support images moves logits exactly if order_matters() says so") {
  for_every_algorithm([](const Subject& subject) {
    const Episodes episodes = random_episodes(1, Feeds::episodes);
    Episodes turned = episodes;
    turned.support = {episodes.support.inputs.flip(1), episodes.support.targets.flip(1)};
    const bool same =
        torch::allclose(logits(subject, turned), logits(subject, episodes), 1e-9, 1e-10);
    CHECK(same != subject.algorithm->order_matters());
  });
}

// ---- regressions

/// Points of T curves: inputs [T,N,1], targets [T,N,1].
Labelled random_points(int64_t tasks, int64_t count, uint64_t index) {
  const Tensor x = 10 * random_tensor({tasks, count, 1}, index) - 5;
  return {x, torch::sin(x - torch::arange(tasks, torch::kDouble).view({tasks, 1, 1}))};
}

Episodes random_curves(int64_t tasks) {
  Episodes episodes{random_points(tasks, 6, 11), random_points(tasks, 4, 12), 1, {}};
  episodes.plans.resize(static_cast<size_t>(tasks));
  return episodes;
}

/// Every algorithm that says it learns regressions, on a network without batch norm.
std::vector<Subject> regressing_subjects() {
  std::vector<Subject> subjects;
  const auto& registry = Registry<AlgorithmPlugin>::instance();
  const BackbonePtr backbone =
      Registry<BackbonePlugin>::instance().find("mlp").make({{"name", "mlp"}, {"hidden", {8, 8}}});
  for (const std::string& name : registry.names()) {
    const AlgorithmPlugin& plugin = registry.find(name);
    if (!plugin.facts.regression) continue;
    for (const Json& block : all_blocks(plugin)) {
      subjects.push_back({block.dump(), plugin.facts, plugin.make(block, backbone), {}});
      subjects.back().weights =
          subjects.back()
              .algorithm->init({{1}, 1}, Stream(3, Purpose::initialisation, 0))
              .to(torch::kCPU, torch::kDouble)
              .clone();
    }
  }
  return subjects;
}

Tensor outputs(const Subject& subject, const Episodes& episodes) {
  const auto indices = indices_of(episodes);
  const auto learner = subject.algorithm->adapt(subject.weights, episodes.support, {{1}, 1},
                                                Context{.seed = 9, .tasks = indices});
  const torch::NoGradGuard no_grad;
  return learner->logits_by_step(episodes.query.inputs).back();
}

TEST_CASE("an algorithm that says it learns regressions does: gradients, losses and outputs") {
  const std::vector<Subject> subjects = regressing_subjects();
  REQUIRE_FALSE(subjects.empty());
  for (const Subject& subject : subjects) {
    CAPTURE(subject.description);
    const Episodes curves = random_curves(2);
    const TaskGradients learned = learn(subject, curves);
    CHECK_FALSE(learned.accuracy.defined());
    CHECK(learned.losses.size(0) == 2);
    CHECK(torch::isfinite(learned.losses).all().item<bool>());
    CHECK(norm(learned.gradients) > 0);
    CHECK(std::isfinite(norm(learned.gradients)));
    CHECK(outputs(subject, curves).sizes() == torch::IntArrayRef({2, 4, 1}));
  }
}

TEST_CASE("a regression alone equals the same one in a batch") {
  for (const Subject& subject : regressing_subjects()) {
    CAPTURE(subject.description);
    const Episodes curves = random_curves(2);
    const TaskGradients together = learn(subject, curves);
    const Tensor all = outputs(subject, curves);
    for (int64_t t = 0; t < 2; ++t) {
      const Episodes one = curves.slice(t, 1);
      const TaskGradients alone = learn(subject, one);
      CHECK(torch::allclose(alone.losses, together.losses.narrow(0, t, 1), 1e-10, 1e-12));
      CHECK(torch::allclose(outputs(subject, one), all.narrow(0, t, 1), 1e-10, 1e-12));
    }
  }
}

// ---- backbones

struct Network {
  std::string description;
  BackbonePtr backbone;
  std::vector<int64_t> image;
};

/// A backbone's reduced form and, where asked for, each choice of each option but of the initial
/// weights, which only tests of those look at.
std::vector<Json> network_blocks(const std::string& name) {
  std::vector<Json> blocks{test::reduced_block(name)};
  const auto with = [&](const std::string& option, const Json& value) {
    blocks.push_back(blocks[0]);
    blocks.back()[option] = value;
  };
  if (!test::reduced_network(name).choices) return blocks;
  for (const OptionRow& row : Registry<BackbonePlugin>::instance().find(name).options()) {
    if (row.path == "init") continue;
    const Json now = blocks[0].value(row.path, row.default_value);
    if (row.type == "text") {
      for (const std::string& value : row.option.one_of) {
        if (now != value) with(row.path, value);
      }
    }
    if (row.default_value.is_boolean()) with(row.path, !now.get<bool>());
  }
  return blocks;
}

std::vector<Network> all_networks() {
  std::vector<Network> networks;
  const auto& registry = Registry<BackbonePlugin>::instance();
  for (const std::string& name : registry.names()) {
    const std::vector<int64_t> image = test::reduced_network(name).image;
    for (const Json& block : network_blocks(name)) {
      const BackbonePtr backbone = registry.find(name).make(block);
      networks.push_back({block.dump(), backbone, image});
      networks.push_back(
          {block.dump() + ", fast kernels", with_kernels(backbone, Kernels::fast), image});
    }
  }
  return networks;
}

ParamList float64_weights(const Network& network) {
  return network.backbone->init({network.image, kWay}, Stream(4, Purpose::initialisation, 0))
      .to(torch::kCPU, torch::kDouble)
      .clone();
}

/// `tasks` times `count` images that the network takes.
Tensor random_images(const Network& network, int64_t tasks, int64_t count) {
  std::vector<int64_t> shape{tasks, count};
  shape.insert(shape.end(), network.image.begin(), network.image.end());
  return random_tensor(shape, 3);
}

template <class Check>
void for_every_network(Check check) {
  for (const Network& network : all_networks()) {
    CAPTURE(network.description);
    check(network, float64_weights(network));
  }
}

TEST_CASE("a backbone's features have the shape it announces") {
  for_every_network([](const Network& network, const ParamList& params) {
    Forward forward;
    const Tensor features =
        network.backbone->features(params, random_images(network, 2, 5), forward);
    std::vector<int64_t> expected{2, 5};
    for (const int64_t size : network.backbone->output_shape(network.image))
      expected.push_back(size);
    CHECK(features.sizes().vec() == expected);
  });
}

TEST_CASE("a backbone's layout has the names, shapes and roles of its fresh weights") {
  for_every_network([](const Network& network, const ParamList& params) {
    const ParamList layout = network.backbone->layout({network.image, kWay});
    REQUIRE(layout.size() == params.size());
    for (size_t i = 0; i < params.size(); ++i) {
      CAPTURE(params.at(i).name);
      CHECK(layout.at(i).name == params.at(i).name);
      CHECK(layout.at(i).value.sizes() == params.at(i).value.sizes());
      CHECK(layout.at(i).role == params.at(i).role);
    }
  });
}

TEST_CASE("with running statistics an image's features do not depend on the other images") {
  for_every_network([](const Network& network, const ParamList& params) {
    const Tensor images = random_images(network, 1, 6);
    Forward together{.norm = NormMode::running}, alone{.norm = NormMode::running};
    const Tensor all = network.backbone->features(params, images, together);
    CHECK(torch::allclose(network.backbone->features(params, images.narrow(1, 2, 1), alone),
                          all.narrow(1, 2, 1), 1e-10, 1e-12));
  });
}

TEST_CASE("a backbone with parameters of each task equals a loop over tasks") {
  for_every_network([](const Network& network, const ParamList& params) {
    const Tensor images = random_images(network, 3, 5);
    ParamList own = params;
    for (Param& param : own) {
      std::vector<Tensor> copies;
      for (int t = 0; t < 3; ++t) copies.push_back(param.value * (1 + 0.1 * t));
      param.value = torch::stack(copies);
    }
    for (const NormMode norm : {NormMode::batch, NormMode::running}) {
      CAPTURE(static_cast<int>(norm));
      Forward together{.norm = norm};
      const Tensor all = network.backbone->features(own, images, together);
      for (int64_t t = 0; t < 3; ++t) {
        std::vector<Tensor> values;
        for (const Param& param : own) values.push_back(param.value[t]);
        Forward forward{.norm = norm};
        const Tensor one =
            network.backbone->features(params.with_values(values), images.narrow(0, t, 1), forward);
        CHECK(torch::allclose(one, all.narrow(0, t, 1), 1e-9, 1e-10));
      }
    }
  });
}

/// A number of a network's parameters or images.
struct Coordinate {
  size_t tensor;
  int64_t place;
};

/// 40 of each tensor, or, where there are many tensors, 40 over all of them and 10 of the images,
/// the last tensor.
std::vector<Coordinate> drawn_coordinates(const std::vector<Tensor>& tensors) {
  constexpr size_t kFew = 16;
  Stream pick(5, Purpose::algorithm, 0);
  const auto below = [&](int64_t n) {
    return static_cast<int64_t>(pick.below(static_cast<uint64_t>(n)));
  };
  std::vector<Coordinate> drawn;
  const auto draw = [&](size_t i) { drawn.push_back({i, below(tensors[i].numel())}); };
  if (tensors.size() <= kFew) {
    for (size_t i = 0; i < tensors.size(); ++i) {
      for (int k = 0; k < 40; ++k) draw(i);
    }
    return drawn;
  }
  for (int k = 0; k < 40; ++k) draw(static_cast<size_t>(below(ssize(tensors) - 1)));
  for (int k = 0; k < 10; ++k) draw(tensors.size() - 1);
  return drawn;
}

TEST_CASE(
    "a backbone's gradients by parameters and images agree with central differences at 40 "
    "coordinates and more") {
  for_every_network([](const Network& network, const ParamList& params) {
    const ParamList learnable = params.with_role(Role::learnable);
    std::vector<Tensor> at = learnable.values();
    at.push_back(random_images(network, 1, 5));
    const Tensor direction = random_tensor({4096}, 8);
    const auto value = [&](const std::vector<Tensor>& in) {
      Forward forward;
      ParamList all = learnable.with_values({in.begin(), in.end() - 1});
      for (const Param& buffer : params.with_role(Role::buffer)) all.add(buffer);
      const Tensor features = network.backbone->features(all, in.back(), forward).reshape(-1);
      return (features * direction.narrow(0, 0, features.numel())).sum();
    };
    // Apart: a layer may be computed in another way where its images need no gradient.
    std::vector<Tensor> weights = at, images = at;
    for (size_t i = 0; i + 1 < at.size(); ++i) weights[i] = at[i].clone().requires_grad_(true);
    images.back() = at.back().clone().requires_grad_(true);
    std::vector<Tensor> gradients =
        torch::autograd::grad({value(weights)}, {weights.begin(), weights.end() - 1});
    gradients.push_back(torch::autograd::grad({value(images)}, {images.back()})[0]);
    double squares = 0;
    for (const Tensor& gradient : gradients) squares += gradient.square().sum().item<double>();
    for (const auto& [tensor, place] : drawn_coordinates(at)) {
      CAPTURE(tensor < learnable.size() ? learnable.at(tensor).name : "images");
      const Tensor flat = at[tensor].view(-1);
      // Small against the parameter, or a step would cross kinks of ReLU and maxima.
      const double step = 1e-6 * std::clamp(flat.square().mean().sqrt().item<double>(), 0.01, 1.0);
      const double old = flat[place].item<double>();
      const auto value_at = [&](double moved) {
        flat[place] = moved;
        return value(at).item<double>();
      };
      const double slope = (value_at(old + step) - value_at(old - step)) / (2 * step);
      flat[place] = old;
      CHECK(std::abs(slope - gradients[tensor].reshape(-1)[place].item<double>()) <=
            1e-5 * std::sqrt(squares));
    }
  });
}

}  // namespace kshot::conformance_test
