#include "algorithms/inner_loop.h"
#include "algorithms/network.h"
#include "tests/algorithms/tiny_method.h"
#include "tests/base/caught.h"
#include "tests/doctest_torch.h"

namespace kshot::maml_test {

using test::random_tasks;
using test::relative_difference;
using test::TinyMethod;

// ---- the closed form of shared/golden: w = [2,3,5], loss 1/2 (x.w)^2

/// x.w as a feature. With head.weight 1 and head.bias 0 the network's output is x.w.
class Dot final : public Backbone {
 public:
  ParamList init(const Shapes&, Stream) const override {
    ParamList params;
    params.add({"w", torch::tensor({2.0, 3.0, 5.0}, torch::kDouble)});
    return params;
  }
  Tensor features(const ParamList& params, const Tensor& x, Forward&) const override {
    const Tensor& w = params["w"];
    return (x * (w.dim() == 2 ? w.unsqueeze(1) : w)).sum(-1, true);
  }
  std::vector<int64_t> output_shape(std::span<const int64_t>) const override { return {1}; }
};

/// The mean squared error with target 0 is twice that loss, so alpha is halved, and gradients of w
/// are doubled.
struct ClosedForm {
  std::unique_ptr<const Algorithm> algorithm;
  ParamList weights;

  ClosedForm(const std::string& name, double alpha, int64_t steps) {
    const Json block{
        {"name", name}, {"inner_lr", alpha / 2}, {"inner_steps", steps}, {"adapt", "body"}};
    algorithm =
        Registry<AlgorithmPlugin>::instance().find(name).make(block, std::make_shared<const Dot>());
    weights = algorithm->init({{3}, 1}, Stream(0, Purpose::initialisation, 0));
    for (Param& param : weights) {
      if (param.name == "head.weight") param.value = torch::ones({1, 1});
      if (param.name == "head.bias") param.value = torch::zeros({1});
    }
    weights = weights.to(torch::kCPU, torch::kDouble);
  }
  static Labelled set(const std::vector<double>& x) {
    return {torch::tensor(x, torch::kDouble).view({1, 1, 3}),
            torch::zeros({1, 1, 1}, torch::kDouble)};
  }
  TaskGradients learn() const {
    Episodes task{set({1, 2, 3}), set({4, 5, 6}), 1, {}};
    task.plans.resize(1);
    const std::vector<uint64_t> indices{0};
    return algorithm->learn(weights, task, Context{.training = true, .tasks = indices});
  }
};

void check_values(const Tensor& found, const std::vector<double>& expected) {
  REQUIRE(found.numel() == static_cast<int64_t>(expected.size()));
  for (size_t i = 0; i < expected.size(); ++i)
    CHECK(found.view(-1)[static_cast<int64_t>(i)].item<double>() ==
          doctest::Approx(expected[i]).epsilon(1e-12));
}

TEST_CASE("one step on a squared product has the gradients worked out by hand") {
  ClosedForm maml("maml", 0.5, 1);
  TaskGradients learned = maml.learn();
  CHECK(learned.losses[0][1].item<double>() / 2 == doctest::Approx(49612.5).epsilon(1e-12));
  check_values(learned.gradients["backbone.w"] / 2, {3780, 8505, 13230});

  ClosedForm first_order("maml", 0.5, 1);
  const Json block{{"name", "maml"},
                   {"inner_lr", 0.25},
                   {"inner_steps", 1},
                   {"adapt", "body"},
                   {"second_order", false}};
  first_order.algorithm =
      Registry<AlgorithmPlugin>::instance().find("maml").make(block, std::make_shared<const Dot>());
  check_values(first_order.learn().gradients["backbone.w"] / 2, {-1260, -1575, -1890});

  // d loss / d alpha; our step size is half of it, our loss twice as large.
  ClosedForm meta_sgd("meta_sgd", 0.5, 1);
  learned = meta_sgd.learn();
  check_values(learned.gradients["backbone.w"] / 2, {3780, 8505, 13230});
  check_values(learned.gradients["inner_lr.backbone.w"] / 4, {28980, 72450, 130410});
}

TEST_CASE("three steps on a squared product have the gradients worked out by hand") {
  ClosedForm maml("maml", 1, 3);
  const TaskGradients learned = maml.learn();
  CHECK(learned.losses[0][3].item<double>() / 2 == doctest::Approx(6670009500.5).epsilon(1e-12));
  check_values(learned.gradients["backbone.w"] / 2, {579804980, 1159956457, 1740107934});
}

// ---- properties

TEST_CASE("MAML's gradient is not FOMAML's: the second-order term is there") {
  const TinyMethod maml(Json{{"name", "maml"}, {"inner_lr", 0.4}}),
      fomaml(Json{{"name", "fomaml"}, {"inner_lr", 0.4}});
  const Episodes tasks = random_tasks(1);
  const TaskGradients second = maml.learn(tasks), first = fomaml.learn(tasks);
  CHECK(torch::allclose(second.losses, first.losses, 1e-10, 1e-12));
  CHECK(relative_difference(first.gradients, second.gradients) > 0.05);
}

TEST_CASE("FOMAML's gradient is the query loss's at the adapted weights") {
  const TinyMethod method(Json{{"name", "fomaml"}, {"inner_lr", 0.4}, {"inner_steps", 3}});
  const Episodes task = random_tasks(1);
  // An independent loop.
  ParamList adapted = method.weights;
  const auto backbone = Registry<BackbonePlugin>::instance().find("conv4").make(
      {{"name", "conv4"}, {"blocks", 2}, {"channels", 4}});
  const auto loss_of = [&](const ParamList& leaves, const Labelled& set) {
    Forward forward;
    const Tensor features =
        backbone->features(leaves.scope("backbone"), set.inputs, forward).flatten(2);
    const Tensor logits = torch::matmul(features, leaves["head.weight"].t()) + leaves["head.bias"];
    return task_cross_entropy(logits, set.targets).sum();
  };
  for (int step = 0; step < 3; ++step) {
    const ParamList leaves = adapted.attach();
    const ParamList gradients = gradients_of(loss_of(leaves, task.support), leaves);
    for (Param& param : adapted) {
      if (param.role == Role::learnable) param.value = param.value - 0.4 * gradients[param.name];
    }
  }
  const ParamList leaves = adapted.attach();
  const ParamList expected = gradients_of(loss_of(leaves, task.query), leaves);
  CHECK(relative_difference(method.learn(task).gradients, expected) < 1e-9);
}

TEST_CASE("the reference's loss is way times the mean at equal shots, so its step size acts so") {
  const Episodes task = random_tasks(1);
  const TinyMethod mean(Json{{"name", "maml"}, {"inner_lr", 0.3}}),
      sum(Json{{"name", "maml"}, {"inner_lr", 0.1}, {"loss", "class_sum"}});
  const TaskGradients of_mean = mean.learn(task), of_sum = sum.learn(task);
  // Support: 6 images over 2 shots; query: 9 over the same 2.
  CHECK(torch::allclose(of_sum.losses.narrow(1, 0, 5), 3 * of_mean.losses.narrow(1, 0, 5), 1e-9));
  CHECK(torch::allclose(of_sum.losses[0][5], 4.5 * of_mean.losses[0][5], 1e-9));
}

/// What adapts, as Meta-SGD shows it: there is a step size for each such weight.
std::vector<std::string> adapting(const Json& block) {
  const TinyMethod method(block);
  std::vector<std::string> names;
  for (const Param& param : method.weights) {
    if (param.name.starts_with("inner_lr.")) names.push_back(param.name.substr(9));
  }
  return names;
}

TEST_CASE("what adapts is what the options say") {
  CHECK(adapting({{"name", "meta_sgd"}, {"adapt", "head"}}) ==
        std::vector<std::string>{"head.weight", "head.bias"});
  CHECK(adapting({{"name", "meta_sgd"}, {"adapt", "body"}, {"adapt_norm", false}}) ==
        std::vector<std::string>{"backbone.block1.conv.weight", "backbone.block1.conv.bias",
                                 "backbone.block2.conv.weight", "backbone.block2.conv.bias"});
  CHECK(adapting({{"name", "meta_sgd"}}).size() == 10);
}

TEST_CASE("BOIL's head stays as it is within a task, ANIL's body does") {
  const Episodes task = random_tasks(1);
  const auto logits = [&](const std::string& name, const std::string& zero) {
    TinyMethod method(Json{{"name", name}, {"inner_lr", 0.5}, {"inner_steps", 1}});
    for (Param& param : method.weights) {
      if (param.name.starts_with(zero)) param.value.zero_();
    }
    return method.adapt(task.support)->logits(task.query.inputs).detach();
  };
  // A head of zeros answers zero whatever the body does, until it adapts itself.
  CHECK(logits("boil", "head.").abs().max().item<double>() == 0);
  CHECK(logits("anil", "head.").abs().max().item<double>() > 1e-3);
  const auto learned = [&](const Json& block) { return TinyMethod(block).learn(task).gradients; };
  const ParamList anil = learned({{"name", "anil"}, {"inner_lr", 0.5}});
  CHECK(relative_difference(learned({{"name", "maml"}, {"inner_lr", 0.5}, {"adapt", "head"}}),
                            anil) < 1e-12);
  CHECK(relative_difference(learned({{"name", "maml"}, {"inner_lr", 0.5}}), anil) > 1e-3);
}

TEST_CASE("logits by step begin with the common weights and end with the adapted ones") {
  const Episodes task = random_tasks(2);
  for (const char* name :
       {"maml", "fomaml", "anil", "boil", "meta_sgd", "maml_plus_plus", "imaml", "cavia"}) {
    CAPTURE(name);
    const TinyMethod method(
        Json{{"name", name}, {"inner_lr", 0.4}, {"inner_steps", 2}, {"test_inner_steps", 4}});
    const TinyMethod none(
        Json{{"name", name}, {"inner_lr", 0.4}, {"inner_steps", 2}, {"test_inner_steps", 0}});
    const auto learner = method.adapt(task.support);
    const auto by_step = learner->logits_by_step(task.query.inputs);
    REQUIRE(by_step.size() == 5);
    CHECK(torch::equal(by_step[4], learner->logits(task.query.inputs)));
    CHECK(torch::equal(by_step[0], none.adapt(task.support)->logits(task.query.inputs)));
    CHECK_FALSE(torch::allclose(by_step[0], by_step[1]));
  }
}

/// A query loss after one inner step, with the graph that a second-order gradient needs.
Tensor loss_with_graph(const TinyMethod& method, const Episodes& task) {
  const Network network(test::tiny_backbone(), "pytorch");
  const ParamList leaves = method.weights.attach();
  const auto losses = [&](const ParamList& params, const Labelled& set) {
    Forward forward{.norm = NormMode::batch, .training = true};
    return task_loss(network.outputs(params, set.inputs, forward), set.targets);
  };
  const Update update = [](const Param& param, const Tensor& gradient) {
    return param.value - 0.1 * gradient;
  };
  const ParamList start = one_copy_per_task(leaves, {}, task.tasks());
  return losses(descend(start, {}, losses(start, task.support), update, /*second_order=*/true),
                task.query);
}

TEST_CASE("memory does not grow over 200 steps of MAML") {
  constexpr int64_t kBound = 16 << 20;  // pages come in 2 MB
  const TinyMethod method(Json{{"name", "maml"}, {"inner_lr", 0.1}, {"inner_steps", 2}});
  const Episodes task = random_tasks(1);
  for (int i = 0; i < 20; ++i) method.learn(task);
  const int64_t before = test::resident_memory();
  for (int i = 0; i < 200; ++i) method.learn(task);
  CHECK(test::resident_memory() - before < kBound);

  // Graphs that are kept, of one inner step alone, would show.
  const int64_t without = test::resident_memory();
  std::vector<Tensor> kept;
  for (int i = 0; i < 200; ++i) kept.push_back(loss_with_graph(method, task));
  CHECK(test::resident_memory() - without > 3 * kBound);
}

TEST_CASE("tasks of another way than the head's are refused") {
  const TinyMethod method(Json{{"name", "maml"}});
  const auto adapt = [&] {
    const std::vector<uint64_t> indices{0};
    method.algorithm->adapt(method.weights, random_tasks(1).support, {{1, 12, 12}, 5},
                            Context{.tasks = indices});
  };
  CHECK(test::message_of(adapt).find("made for 3 outputs, but these tasks have 5") !=
        std::string::npos);
}

}  // namespace kshot::maml_test
