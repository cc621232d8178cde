#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "tests/run/scripted.h"

namespace kshot::test {

/// Regressions without a support set: task i has queries x = 0, 1, 2 and asks for y = i everywhere.
class ScriptedCurves : public TaskSource {
 public:
  TaskPlan plan(uint64_t index) const override {
    TaskPlan plan;
    plan.index = index;
    plan.outputs = 1;
    plan.query = {0, 1, 2};
    plan.values = {static_cast<double>(index)};
    return plan;
  }

  Episodes load(std::span<const TaskPlan> plans) const override {
    const auto tasks = static_cast<int64_t>(plans.size());
    Episodes episodes;
    episodes.support = {torch::zeros({tasks, 0, 1}), torch::zeros({tasks, 0, 1})};
    episodes.query = {torch::arange(3, torch::kFloat).view({1, 3, 1}).expand({tasks, 3, 1}),
                      torch::empty({tasks, 3, 1})};
    for (int64_t t = 0; t < tasks; ++t)
      episodes.query.targets[t].fill_(plans[static_cast<size_t>(t)].values[0]);
    episodes.outputs = 1;
    episodes.plans.assign(plans.begin(), plans.end());
    return episodes;
  }

  Shapes shapes() const override { return {{1}, 1}; }
  const std::vector<TaskClass>& classes() const override { return classes_; }
  TaskKind kind() const override { return TaskKind::regression; }

 private:
  std::vector<TaskClass> classes_;
};

/// Answers every query with these numbers, one after each step; learning does nothing.
class ConstantRegressor final : public ScriptedAlgorithm {
 public:
  explicit ConstantRegressor(std::vector<double> by_step) : by_step_(std::move(by_step)) {
    initial = one_weight();
    on_learn = [](const ParamList&, const Episodes& tasks, const Context&) {
      TaskGradients result = learned(torch::zeros({1}), tasks.tasks(), /*loss=*/2);
      result.accuracy = Tensor();
      return result;
    };
  }

  std::unique_ptr<Learner> adapt(const ParamList&, const Labelled&, const Shapes&,
                                 const Context&) const override {
    return std::make_unique<Constant>(by_step_);
  }

 private:
  class Constant final : public Learner {
   public:
    explicit Constant(std::vector<double> by_step) : by_step_(std::move(by_step)) {}
    Tensor logits(const Tensor& query) const override { return logits_by_step(query).back(); }
    std::vector<Tensor> logits_by_step(const Tensor& query) const override {
      std::vector<Tensor> outputs;
      for (const double value : by_step_) outputs.push_back(torch::full_like(query, value));
      return outputs;
    }

   private:
    std::vector<double> by_step_;
  };

  std::vector<double> by_step_;
};

}  // namespace kshot::test
