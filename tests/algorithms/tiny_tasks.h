#pragma once

#include "framework/run/algorithm.h"
#include "tests/model/numbers.h"

/// Small tasks and networks in float64, for tests of single algorithms.
namespace kshot::test {

constexpr int64_t kTinyWay = 3;
inline const std::vector<int64_t> kTinyImage{1, 12, 12};

/// `tasks` tasks of 3-way 2-shot with 4 queries a class.
inline Episodes tiny_tasks(int64_t tasks = 1) {
  const auto set = [&](int64_t per_class, uint64_t index) {
    const int64_t images = per_class * kTinyWay;
    return Labelled{numbers({tasks, images, 1, 12, 12}, index),
                    torch::arange(images).remainder(kTinyWay).unsqueeze(0).expand({tasks, -1})};
  };
  Episodes episodes{set(2, 1), set(4, 2), kTinyWay, {}};
  for (int64_t t = 0; t < tasks; ++t) {
    episodes.plans.push_back({});
    episodes.plans.back().index = static_cast<uint64_t>(t);
  }
  return episodes;
}

/// An algorithm on conv4 of two blocks and four channels.
struct TinyMethod {
  std::unique_ptr<const Algorithm> algorithm;
  ParamList weights;

  explicit TinyMethod(const Json& block, Json backbone = Json::object(),
                      Kernels kernels = Kernels::fast) {
    backbone.update({{"name", "conv4"}, {"blocks", 2}, {"channels", 4}});
    algorithm =
        Registry<AlgorithmPlugin>::instance()
            .find(block["name"])
            .make(block,
                  with_kernels(Registry<BackbonePlugin>::instance().find("conv4").make(backbone),
                               kernels));
    weights = algorithm->init({kTinyImage, kTinyWay}, Stream(3, Purpose::initialisation, 0))
                  .to(torch::kCPU, torch::kDouble)
                  .clone();
  }

  TaskGradients learn(const ParamList& at, const Episodes& tasks, int64_t iteration = 0) const {
    std::vector<uint64_t> indices;
    for (const TaskPlan& plan : tasks.plans) indices.push_back(plan.index);
    return algorithm->learn(at, tasks,
                            Context{.iteration = iteration,
                                    .iterations = 100000,
                                    .training = true,
                                    .seed = 9,
                                    .tasks = indices});
  }
  TaskGradients learn(const Episodes& tasks) const { return learn(weights, tasks); }

  std::unique_ptr<Learner> adapt(const Labelled& support) const {
    std::vector<uint64_t> indices;
    for (int64_t t = 0; t < support.inputs.size(0); ++t)
      indices.push_back(static_cast<uint64_t>(t));
    return algorithm->adapt(weights, support, {kTinyImage, kTinyWay},
                            Context{.seed = 9, .tasks = indices});
  }
};

inline double norm_of(const ParamList& list) {
  double squares = 0;
  for (const Param& param : list) squares += param.value.square().sum().item<double>();
  return std::sqrt(squares);
}

/// |a - b| / |b| over all tensors.
inline double relative_difference(const ParamList& a, const ParamList& b) {
  double squares = 0;
  for (const Param& param : b)
    squares += (a[param.name] - param.value).square().sum().item<double>();
  return std::sqrt(squares) / norm_of(b);
}

}  // namespace kshot::test
