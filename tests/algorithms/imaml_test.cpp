#include "tests/algorithms/tiny_method.h"
#include "tests/doctest_torch.h"

namespace kshot::imaml_test {

using test::random_tasks;
using test::relative_difference;
using test::TinyMethod;

/// The inputs themselves as features: with the head it is linear regression, whose support loss is
/// a quadratic in head.weight and head.bias.
class Inputs final : public Backbone {
 public:
  ParamList init(const Shapes&, Stream) const override { return {}; }
  Tensor features(const ParamList&, const Tensor& x, Forward&) const override { return x; }
  std::vector<int64_t> output_shape(std::span<const int64_t> input) const override {
    return {input.begin(), input.end()};
  }
};

struct Quadratic {
  std::unique_ptr<const Algorithm> algorithm;
  ParamList weights;
  Episodes tasks;

  explicit Quadratic(Json block) {
    block["name"] = "imaml";
    algorithm = Registry<AlgorithmPlugin>::instance().find("imaml").make(
        block, std::make_shared<const Inputs>());
    weights = algorithm->init({{3}, 2}, Stream(1, Purpose::initialisation, 0))
                  .to(torch::kCPU, torch::kDouble);
    tasks = {{test::numbers({2, 6, 3}, 1), test::numbers({2, 6, 2}, 2)},
             {test::numbers({2, 5, 3}, 3), test::numbers({2, 5, 2}, 4)},
             2,
             {}};
    tasks.plans.resize(2);
  }
  ParamList learn() const {
    const std::vector<uint64_t> indices{0, 1};
    return algorithm->learn(weights, tasks, Context{.training = true, .tasks = indices}).gradients;
  }

  /// For task t, with v = [head.weight, head.bias] as one matrix [4,2] on inputs [x, 1]: the loss
  /// is |X v - y|^2 / n, n = 12 numbers, so H = 2 X'X / n for each output. phi = (H + lambda)^-1 (2
  /// X'y / n + lambda theta), gradient = lambda (H + lambda)^-1 grad L_q(phi).
  ParamList closed_form(double lambda) const {
    const auto extended = [](const Tensor& x) {
      return torch::cat({x, torch::ones({x.size(0), 1}, x.options())}, 1);
    };
    const Tensor theta =
        torch::cat({weights["head.weight"].t(), weights["head.bias"].unsqueeze(0)}, 0);
    Tensor sum = torch::zeros_like(theta);
    for (int64_t t = 0; t < 2; ++t) {
      const Tensor X = extended(tasks.support.inputs[t]), y = tasks.support.targets[t];
      const Tensor Xq = extended(tasks.query.inputs[t]), yq = tasks.query.targets[t];
      const auto n = static_cast<double>(y.numel()), nq = static_cast<double>(yq.numel());
      const Tensor A = 2 * X.t().matmul(X) / n + lambda * torch::eye(4, torch::kDouble);
      const Tensor phi = torch::linalg_solve(A, 2 * X.t().matmul(y) / n + lambda * theta);
      const Tensor slope = 2 * Xq.t().matmul(Xq.matmul(phi) - yq) / nq;
      sum += lambda * torch::linalg_solve(A, slope);
    }
    ParamList result;
    result.add({"head.weight", sum.narrow(0, 0, 3).t()});
    result.add({"head.bias", sum[3]});
    return result;
  }
};

TEST_CASE("on a quadratic the implicit gradient is the closed form, with enough steps") {
  for (const double lambda : {0.5, 2.0}) {
    CAPTURE(lambda);
    const Quadratic problem(
        {{"inner_lr", 0.2}, {"inner_steps", 400}, {"strength", lambda}, {"cg_steps", 20}});
    CHECK(relative_difference(problem.learn(), problem.closed_form(lambda)) < 1e-9);
  }
}

TEST_CASE("it converges to the closed form as inner steps grow, and as steps of the solver do") {
  double before = 1e9;
  for (const int64_t steps : {1, 4, 16, 64}) {
    const Quadratic problem(
        {{"inner_lr", 0.2}, {"inner_steps", steps}, {"strength", 2.0}, {"cg_steps", 20}});
    const double error = relative_difference(problem.learn(), problem.closed_form(2));
    CHECK(error < before);
    before = error;
  }
  before = 1e9;
  for (const int64_t steps : {1, 2, 3}) {
    const Quadratic problem(
        {{"inner_lr", 0.2}, {"inner_steps", 400}, {"strength", 0.5}, {"cg_steps", steps}});
    const double error = relative_difference(problem.learn(), problem.closed_form(0.5));
    CHECK(error < before);
    before = error;
  }
}

TEST_CASE("a task that has converged leaves the others to go on") {
  // The second task's query targets are what phi answers, so its gradient is 0 from the start.
  Quadratic problem({{"inner_lr", 0.2}, {"inner_steps", 400}, {"strength", 2.0}, {"cg_steps", 20}});
  const std::vector<uint64_t> indices{0, 1};
  const auto learner = problem.algorithm->adapt(problem.weights, problem.tasks.support, {{3}, 2},
                                                Context{.tasks = indices});
  problem.tasks.query.targets[1] = learner->logits(problem.tasks.query.inputs)[1].detach();
  const ParamList gradients = problem.learn();
  CHECK(torch::isfinite(gradients["head.weight"]).all().item<bool>());
  CHECK(relative_difference(gradients, problem.closed_form(2)) < 1e-8);
}

TEST_CASE("peak memory does not depend on the number of inner steps") {
  const Episodes task = random_tasks(1);
  const TinyMethod few(Json{{"name", "imaml"}, {"inner_steps", 2}}),
      many(Json{{"name", "imaml"}, {"inner_steps", 300}});
  for (int i = 0; i < 5; ++i) few.learn(task);
  const int64_t before = test::resident_memory();
  many.learn(task);
  // 300 graphs of this network would be over 100 MB.
  CHECK(test::resident_memory() - before < 16 << 20);
}

}  // namespace kshot::imaml_test
