#include <cmath>
#include <numbers>

#include "datasets/task_generator.h"
#include "framework/base/error.h"
#include "tests/base/caught.h"
#include "tests/doctest_torch.h"

namespace kshot::sinusoid_test {

DatasetPtr sinusoid(Json options = Json::object()) {
  options["name"] = "sinusoid";
  return Registry<DatasetPlugin>::instance().find("sinusoid").make(options);
}

std::shared_ptr<const TaskSource> tasks_of(const DatasetPtr& data, const EpisodeShape& shape,
                                           const EpisodeStream& stream = {}) {
  const auto* generator = dynamic_cast<const TaskGenerator*>(data.get());
  REQUIRE(generator != nullptr);
  return generator->tasks(shape, stream);
}

constexpr EpisodeShape kShape{.way = 1, .shot = 5, .query = 10};

Episodes load_first(const TaskSource& source, int64_t count) {
  std::vector<TaskPlan> plans;
  for (int64_t i = 0; i < count; ++i) plans.push_back(source.plan(static_cast<uint64_t>(i)));
  return source.load(plans);
}

double largest(const Tensor& values) { return values.max().item<double>(); }
double smallest(const Tensor& values) { return values.min().item<double>(); }

TEST_CASE("the points of a task lie on the curve that its plan says") {
  const auto source = tasks_of(sinusoid(), kShape);
  const Episodes tasks = load_first(*source, 4);
  CHECK(tasks.support.inputs.sizes() == torch::IntArrayRef({4, 5, 1}));
  CHECK(tasks.query.targets.sizes() == torch::IntArrayRef({4, 10, 1}));
  CHECK(tasks.outputs == 1);
  for (int64_t t = 0; t < 4; ++t) {
    const std::vector<double>& values = tasks.plans[static_cast<size_t>(t)].values;
    REQUIRE(values.size() == 2 + 15);
    for (const Labelled& set : {tasks.support, tasks.query}) {
      const Tensor expected = values[0] * torch::sin(set.inputs[t].to(torch::kDouble) - values[1]);
      CHECK(torch::allclose(set.targets[t].to(torch::kDouble), expected, 1e-5, 1e-5));
    }
    CHECK(tasks.support.inputs[t][0].item<float>() == static_cast<float>(values[2]));
    CHECK(tasks.query.inputs[t][0].item<float>() == static_cast<float>(values[7]));
  }
}

TEST_CASE("amplitude, phase and points are uniform over the paper's ranges") {
  const auto source = tasks_of(sinusoid(), kShape);
  std::vector<double> amplitudes, phases, points;
  for (uint64_t i = 0; i < 2000; ++i) {
    const TaskPlan plan = source->plan(i);
    amplitudes.push_back(plan.values[0]);
    phases.push_back(plan.values[1]);
    points.insert(points.end(), plan.values.begin() + 2, plan.values.end());
  }
  const auto check_uniform = [](const std::vector<double>& drawn, double low, double high) {
    const Tensor values = torch::tensor(drawn, torch::kDouble);
    const double width = high - low;
    CHECK(smallest(values) >= low);
    CHECK(largest(values) < high);
    CHECK(smallest(values) < low + 0.01 * width);
    CHECK(largest(values) > high - 0.01 * width);
    CHECK(values.mean().item<double>() == doctest::Approx((low + high) / 2).epsilon(0.03 * width));
    CHECK(values.std().item<double>() == doctest::Approx(width / std::sqrt(12)).epsilon(0.03));
  };
  check_uniform(amplitudes, 0.1, 5);
  check_uniform(phases, 0, std::numbers::pi);
  check_uniform(points, -5, 5);
}

TEST_CASE("a plan is pure, and changes with seed, purpose, split, index and options alone") {
  const DatasetPtr data = sinusoid();
  const auto values = [&](const DatasetPtr& of, const EpisodeStream& stream, uint64_t i) {
    return tasks_of(of, kShape, stream)->plan(i).values;
  };
  const EpisodeStream stream{.splits = {"test"}, .seed = 3, .purpose = Purpose::test_tasks};
  const std::vector<double> base = values(data, stream, 7);
  CHECK(values(sinusoid(), stream, 7) == base);
  CHECK(values(data, stream, 8) != base);
  CHECK(values(data, {.splits = {"test"}, .seed = 4, .purpose = Purpose::test_tasks}, 7) != base);
  CHECK(values(data, {.splits = {"train"}, .seed = 3, .purpose = Purpose::test_tasks}, 7) != base);
  CHECK(values(data, {.splits = {"test"}, .seed = 3, .purpose = Purpose::training_tasks}, 7) !=
        base);
  CHECK(values(sinusoid({{"x", {-4, 5}}}), stream, 7) != base);
}

TEST_CASE("shot and query do not change the curve; a larger shot adds points") {
  const DatasetPtr data = sinusoid();
  const TaskPlan few = tasks_of(data, {.way = 1, .shot = 5, .query = 4})->plan(9),
                 more = tasks_of(data, {.way = 1, .shot = 10, .query = 6})->plan(9);
  for (size_t k = 0; k < 2 + 5; ++k) CHECK(few.values[k] == more.values[k]);
  for (size_t k = 0; k < 4; ++k) CHECK(few.values[2 + 5 + k] == more.values[2 + 10 + k]);
}

TEST_CASE("a task alone has the points that it has beside others") {
  const auto source = tasks_of(sinusoid(), kShape);
  const Episodes together = load_first(*source, 3);
  const TaskPlan plan = source->plan(2);
  const Episodes alone = source->load(std::span(&plan, 1));
  CHECK(torch::equal(alone.support.inputs[0], together.support.inputs[2]));
  CHECK(torch::equal(alone.query.targets[0], together.query.targets[2]));
}

TEST_CASE("the data's hash names the ranges") {
  CHECK(sinusoid()->manifest().sha256 == sinusoid({{"amplitude", {0.1, 5}}})->manifest().sha256);
  for (const char* name : {"amplitude", "phase", "x"}) {
    CAPTURE(name);
    CHECK(sinusoid({{name, {0.2, 0.3}}})->manifest().sha256 != sinusoid()->manifest().sha256);
  }
}

TEST_CASE("what no sinusoid has is refused") {
  const auto refused = [](auto action, const char* part) {
    const auto error = test::caught(action);
    REQUIRE(error);
    CHECK(error->code() == Exit::bad_spec);
    CAPTURE(error->what());
    CHECK(std::string(error->what()).find(part) != std::string::npos);
  };
  const DatasetPtr data = sinusoid();
  refused([&] { tasks_of(data, {.way = 5, .shot = 1, .query = 1}); }, "way is 5");
  refused([&] { tasks_of(data, {.way = 1, .shot = 1, .query = 0}); }, "query is 0");
  refused([] { sinusoid({{"amplitude", {5, 1}}}); }, "dataset.amplitude is [5, 1]");
  refused([] { sinusoid({{"x", 3}}); }, "dataset.x is [3]");
  const std::vector<int64_t> rows{0};
  refused([&] { data->load(rows); }, "has no samples");
}

}  // namespace kshot::sinusoid_test
