#pragma once

#include <fstream>

#include "tests/algorithms/learn_gradient.h"

namespace kshot::test {

/// An algorithm on the small conv4, with float64 weights, for the tasks of random_tasks().
struct TinyMethod {
  std::unique_ptr<const Algorithm> algorithm;
  ParamList weights;

  explicit TinyMethod(const Json& options, const Json& backbone = Json::object())
      : algorithm(make_algorithm(options, tiny_backbone(backbone))),
        weights(algorithm->init({{1, 12, 12}, 3}, Stream(3, Purpose::initialisation, 0))
                    .to(torch::kCPU, torch::kDouble)
                    .clone()) {}

  TaskGradients learn(const Episodes& tasks, int64_t iteration = 0) const {
    const std::vector<uint64_t> indices = first_indices(tasks.tasks());
    return algorithm->learn(weights, tasks,
                            {.iteration = iteration,
                             .iterations = 100000,
                             .training = true,
                             .seed = 9,
                             .tasks = indices});
  }

  std::unique_ptr<Learner> adapt(const Labelled& support) const {
    const std::vector<uint64_t> indices = first_indices(support.inputs.size(0));
    return algorithm->adapt(weights, support, {{1, 12, 12}, 3}, {.seed = 9, .tasks = indices});
  }

 private:
  static std::vector<uint64_t> first_indices(int64_t count) {
    std::vector<uint64_t> indices;
    for (int64_t t = 0; t < count; ++t) indices.push_back(static_cast<uint64_t>(t));
    return indices;
  }
};

inline double norm_of(const ParamList& list) {
  double squares = 0;
  for (const Param& param : list) squares += param.value.square().sum().item<double>();
  return std::sqrt(squares);
}

/// |a - b| / |b| over all tensors of b.
inline double relative_difference(const ParamList& a, const ParamList& b) {
  double squares = 0;
  for (const Param& param : b)
    squares += (a[param.name] - param.value).square().sum().item<double>();
  return std::sqrt(squares) / norm_of(b);
}

/// The resident set of this process, in bytes.
inline int64_t resident_memory() {
  std::ifstream file("/proc/self/statm");
  int64_t size = 0, pages = 0;
  file >> size >> pages;
  return pages * 4096;
}

}  // namespace kshot::test
