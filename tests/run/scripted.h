#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "framework/run/algorithm.h"
#include "framework/run/meta_batch.h"

namespace kshot::test {

/// Tasks without pixels: a query image is its label, so that a scripted model can be right or wrong
/// as often as a test wants. Task i has `way` classes with `query` images each, no support.
class ScriptedSource : public TaskSource {
 public:
  explicit ScriptedSource(int64_t way = 2, int64_t query = 5) : way_(way), query_(query) {
    for (int64_t c = 0; c < 4 * way; ++c) classes_.push_back({"class" + std::to_string(c), c});
  }

  TaskPlan plan(uint64_t index) const override {
    TaskPlan plan;
    plan.index = index;
    plan.outputs = way_;
    for (int64_t label = 0; label < way_; ++label) {
      plan.classes.push_back((static_cast<int64_t>(index) + label) %
                             static_cast<int64_t>(classes_.size()));
      for (int64_t q = 0; q < query_; ++q) {
        plan.query.push_back(plan.classes.back() * 100 + q);
        plan.query_labels.push_back(label);
      }
    }
    return plan;
  }

  Episodes load(std::span<const TaskPlan> plans) const override {
    Episodes episodes;
    std::vector<Tensor> labels;
    for (const TaskPlan& plan : plans)
      labels.push_back(torch::tensor(plan.query_labels, torch::kLong));
    const auto tasks = static_cast<int64_t>(plans.size());
    episodes.query.targets = torch::stack(labels);
    episodes.query.inputs = episodes.query.targets.to(torch::kFloat).unsqueeze(-1);
    episodes.support = {torch::zeros({tasks, 0, 1}), torch::zeros({tasks, 0}, torch::kLong)};
    episodes.outputs = plans[0].outputs;
    episodes.plans.assign(plans.begin(), plans.end());
    return episodes;
  }

  Shapes shapes() const override { return {{1}, way_}; }
  const std::vector<TaskClass>& classes() const override { return classes_; }

 private:
  int64_t way_, query_;
  std::vector<TaskClass> classes_;
};

/// These plans as a meta-batch whose pieces are loaded when they are taken. Refers to `source`.
inline MetaBatch meta_batch(const TaskSource& source, std::vector<TaskPlan> plans,
                            bool batched = false) {
  const auto kept = std::make_shared<const std::vector<TaskPlan>>(std::move(plans));
  const auto pieces = cut_plans(*kept, batched);
  return {static_cast<int64_t>(pieces.size()), [&source, kept, pieces](int64_t i) {
            return source.load(pieces.at(static_cast<size_t>(i)));
          }};
}

/// Tasks whose way depends on the index: 2, 2, 3, 2, ...
class MixedSource final : public ScriptedSource {
 public:
  TaskPlan plan(uint64_t index) const override {
    return index % 4 == 2 ? ScriptedSource(3).plan(index) : ScriptedSource::plan(index);
  }
};

/// An algorithm whose every answer is a function that the test writes down.
class ScriptedAlgorithm : public Algorithm {
 public:
  using Logits = std::function<Tensor(const ParamList&, const Tensor& query, const Context&)>;

  ParamList initial;
  std::function<TaskGradients(const ParamList&, const Episodes&, const Context&)> on_learn;
  Logits on_logits;

  ParamList init(const Shapes&, Stream) const override { return initial.clone(); }
  TaskGradients learn(const ParamList& weights, const Episodes& tasks,
                      const Context& context) const override {
    return on_learn(weights, tasks, context);
  }
  std::unique_ptr<Learner> adapt(const ParamList& weights, const Labelled&, const Shapes& shapes,
                                 const Context& context) const override {
    return std::make_unique<Scripted>(*this, weights, shapes, context);
  }
  bool transductive() const override { return false; }

 private:
  class Scripted final : public Learner {
   public:
    Scripted(const ScriptedAlgorithm& script, ParamList weights, Shapes shapes, Context context)
        : script_(script),
          weights_(std::move(weights)),
          shapes_(std::move(shapes)),
          context_(context) {}
    Tensor logits(const Tensor& query) const override {
      return script_.on_logits(weights_, query, context_);
    }

   private:
    const ScriptedAlgorithm& script_;
    ParamList weights_;
    Shapes shapes_;
    Context context_;
  };
};

/// One weight vector "w" of zeros.
inline ParamList one_weight(int64_t size = 1) {
  ParamList params;
  params.add({"w", torch::zeros({size})});
  return params;
}

/// What learn() returns where every task has these gradients of "w", loss and accuracy.
inline TaskGradients learned(const Tensor& gradient, int64_t tasks, double loss = 1,
                             double accuracy = 0.5) {
  TaskGradients result;
  result.gradients.add({"w", gradient * tasks});
  result.losses = torch::full({tasks, 1}, loss);
  result.accuracy = torch::full({tasks}, accuracy);
  return result;
}

/// Logits that are right for the first `right` of each task's queries and wrong for the others.
/// query [T,Q,1] holds the labels.
inline Tensor right_for(const Tensor& query, int64_t right, int64_t way) {
  const Tensor labels = query.squeeze(-1).to(torch::kLong);
  const Tensor wrong = torch::arange(labels.size(1)).ge(right).to(torch::kLong);
  return torch::one_hot((labels + wrong).remainder(way), way).to(torch::kFloat);
}

}  // namespace kshot::test
