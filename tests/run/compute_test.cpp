#include "framework/run/compute.h"

#include <atomic>

#include "tests/doctest_torch.h"
#include "tests/run/scripted.h"
#include "tests/run/toy_learning.h"

namespace kshot::compute_test {

using test::same_bits;
using test::small_algorithm;

struct Setting {
  std::unique_ptr<const Algorithm> algorithm;
  ParamList weights;
  std::shared_ptr<const TaskSource> source;
};

Setting setting_of(const std::string& name, torch::Dtype dtype) {
  const auto source = test::toy_tasks({"train"}, {.way = 3, .shot = 2, .query = 4});
  Setting setting{small_algorithm(name), {}, source};
  setting.weights = setting.algorithm->init(source->shapes(), Stream(1, Purpose::initialisation, 0))
                        .to(torch::kCPU, dtype)
                        .clone();
  return setting;
}

TaskGradients learn_with(const Setting& setting, int threads, const Compute& compute) {
  TaskEngine engine(threads);
  const Context context{.iteration = 3, .iterations = 10, .training = true, .seed = 2};
  const MetaBatch seven_tasks =
      test::meta_batch(*setting.source, plans_of(*setting.source, 6, 7), compute.batched());
  return learn_tasks(engine, *setting.algorithm, setting.weights, seven_tasks, context, compute);
}

bool same(const TaskGradients& a, const TaskGradients& b) {
  return same_bits(a.gradients, b.gradients) && same_bits(a.statistics, b.statistics) &&
         torch::equal(a.losses, b.losses) && torch::equal(a.accuracy, b.accuracy);
}

TEST_CASE("1, 2 and 4 task threads give the same bits on a meta-batch of 7") {
  for (const std::string name : {"protonet", "test_adaptive"}) {
    CAPTURE(name);
    const Setting setting = setting_of(name, torch::kFloat);
    const TaskGradients one = learn_with(setting, 1, {});
    CHECK(one.losses.size(0) == 7);
    for (const int threads : {2, 4}) {
      for (int again = 0; again < 3; ++again) CHECK(same(one, learn_with(setting, threads, {})));
    }
  }
}

TEST_CASE("tasks one by one and all along the task axis agree to rounding in float64") {
  for (const std::string name : {"protonet", "test_adaptive"}) {
    CAPTURE(name);
    const Setting setting = setting_of(name, torch::kDouble);
    Compute compute{.dtype = torch::kDouble};
    const TaskGradients alone = learn_with(setting, 1, compute);
    compute.task_mode = "batched";
    const TaskGradients together = learn_with(setting, 1, compute);
    double norm = 0;
    for (const Param& gradient : alone.gradients)
      norm = std::max(norm, gradient.value.norm().item<double>());
    const auto close = [&](const Tensor& a, const Tensor& b) {
      return (a - b).abs().max().item<double>() <= 1e-10 * std::max(1.0, norm);
    };
    for (size_t i = 0; i < alone.gradients.size(); ++i) {
      CHECK(close(alone.gradients.at(i).value, together.gradients.at(i).value));
    }
    REQUIRE(alone.statistics.size() == together.statistics.size());
    for (size_t i = 0; i < alone.statistics.size(); ++i) {
      CHECK(close(alone.statistics.at(i).value, together.statistics.at(i).value));
    }
    CHECK(close(alone.losses, together.losses));
    CHECK(torch::equal(alone.accuracy, together.accuracy));
  }
}

TEST_CASE("gradients are the sum over tasks, added in task order") {
  // In float32 the order shows: 1e8 + 1 - 1e8 is 0 from the left, 1 in other orders.
  const std::vector<double> gradient_of_task{1e8, 1, -1e8};
  test::ScriptedAlgorithm script;
  script.initial = test::one_weight();
  script.on_learn = [&](const ParamList&, const Episodes& tasks, const Context&) {
    return test::learned(torch::full({1}, gradient_of_task.at(tasks.plans[0].index)), 1);
  };
  const test::ScriptedSource source;
  std::vector<TaskPlan> plans{source.plan(0), source.plan(1), source.plan(2)};
  for (const int threads : {1, 3}) {
    TaskEngine engine(threads);
    const TaskGradients total =
        learn_tasks(engine, script, script.initial, test::meta_batch(source, plans), {}, {});
    CHECK(total.gradients["w"].item<float>() == 0.0F);
  }
  std::swap(plans[1], plans[2]);
  TaskEngine engine(2);
  CHECK(learn_tasks(engine, script, script.initial, test::meta_batch(source, plans), {}, {})
            .gradients["w"]
            .item<float>() == 1.0F);
}

TEST_CASE("gradients alive at once do not grow with the meta-batch in threads mode") {
  std::atomic<int> alive{0};
  std::atomic<int> most{0};
  test::ScriptedAlgorithm script;
  script.initial = test::one_weight();
  script.on_learn = [&](const ParamList&, const Episodes& tasks, const Context&) {
    const int now = ++alive;
    for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
    }
    auto* number = new float(1);
    const Tensor counted = torch::from_blob(number, {1}, [&alive](void* memory) {
      delete static_cast<float*>(memory);
      --alive;
    });
    TaskGradients result = test::learned(torch::zeros({1}), tasks.tasks());
    result.gradients = {};
    result.gradients.add({"w", counted});
    return result;
  };
  constexpr int kThreads = 2;
  for (const int64_t count : {8, 80}) {
    CAPTURE(count);
    most = 0;
    const test::ScriptedSource source;
    TaskEngine engine(kThreads);
    const TaskGradients total =
        learn_tasks(engine, script, script.initial,
                    test::meta_batch(source, plans_of(source, 0, count)), {}, {});
    CHECK(total.gradients["w"].item<float>() == static_cast<float>(count));
    CHECK(most <= 2 * kThreads + 1);  // the sum beside what the workers hold
  }
}

TEST_CASE(
    "tasks of several shapes: each piece knows its own tasks, and results follow the tasks' "
    "order") {
  for (const std::string mode : {"threads", "batched"}) {
    CAPTURE(mode);
    const test::MixedSource source;
    const MetaBatch five_tasks =
        test::meta_batch(source, plans_of(source, 0, 5), mode == "batched");
    std::vector<int64_t> calls;
    test::ScriptedAlgorithm script;
    script.initial = test::one_weight();
    script.on_learn = [&](const ParamList&, const Episodes& tasks, const Context& context) {
      REQUIRE(static_cast<int64_t>(context.tasks.size()) == tasks.tasks());
      calls.push_back(tasks.tasks());
      std::vector<double> index;
      for (size_t t = 0; t < context.tasks.size(); ++t) {
        CHECK(context.tasks[t] == tasks.plans[t].index);
        index.push_back(static_cast<double>(context.tasks[t]));
      }
      TaskGradients result =
          test::learned(torch::full({1}, static_cast<double>(tasks.outputs)), tasks.tasks());
      result.losses = torch::tensor(index).unsqueeze(1);
      result.statistics.add({"mean", torch::tensor(index).unsqueeze(1), Role::buffer});
      return result;
    };
    TaskEngine engine(1);
    const TaskGradients total =
        learn_tasks(engine, script, script.initial, five_tasks, {}, {.task_mode = mode});
    CHECK(calls == (mode == "threads" ? std::vector<int64_t>{1, 1, 1, 1, 1}
                                      : std::vector<int64_t>{2, 1, 2}));
    CHECK(torch::equal(total.losses, torch::arange(5, torch::kFloat).unsqueeze(1)));
    CHECK(torch::equal(total.statistics["mean"], total.losses));
    CHECK(total.gradients["w"].item<float>() == 2 + 2 + 3 + 2 + 2);
    CHECK(total.accuracy.size(0) == 5);
  }
}

TEST_CASE("tasks arrive on the device's dtype with the LibTorch threads that the spec asks for") {
  test::ScriptedAlgorithm script;
  script.initial = test::one_weight();
  script.on_learn = [&](const ParamList&, const Episodes& tasks, const Context&) {
    CHECK(tasks.query.inputs.scalar_type() == torch::kDouble);
    CHECK(at::get_num_threads() == 2);
    return test::learned(torch::ones({1}), tasks.tasks());
  };
  const test::ScriptedSource source;
  const std::vector<TaskPlan> plans{source.plan(0)};
  TaskEngine engine(1);
  learn_tasks(engine, script, script.initial, test::meta_batch(source, plans), {},
              {.dtype = torch::kDouble, .intra_op_threads = 2});
}

}  // namespace kshot::compute_test
