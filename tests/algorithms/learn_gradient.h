#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "framework/run/algorithm.h"
#include "tests/model/numbers.h"

namespace kshot::test {

/// A small conv4 in float64 trainings: two blocks of four channels, unless `options` say otherwise.
inline BackbonePtr tiny_backbone(const Json& options = Json::object(),
                                 Kernels kernels = Kernels::fast) {
  Json block{{"name", "conv4"}, {"blocks", 2}, {"channels", 4}};
  block.update(options);
  return with_kernels(Registry<BackbonePlugin>::instance().find("conv4").make(block), kernels);
}

/// An algorithm by its options, `name` among them.
inline std::unique_ptr<const Algorithm> make_algorithm(const Json& options, BackbonePtr backbone) {
  return Registry<AlgorithmPlugin>::instance()
      .find(options.at("name"))
      .make(options, std::move(backbone));
}

/// Random float64 images with labels, `per_class` of each of `way` classes in turn.
inline Labelled random_images(int64_t tasks, int64_t way, int64_t per_class, int64_t size,
                              uint64_t index) {
  const int64_t images = way * per_class;
  return {numbers({tasks, images, 1, size, size}, index),
          torch::arange(images).remainder(way).unsqueeze(0).expand({tasks, -1}).contiguous()};
}

/// Tasks of 12x12 images: 3-way 2-shot with 3 queries a class.
inline Episodes random_tasks(int64_t tasks) {
  Episodes episodes{random_images(tasks, 3, 2, 12, 1), random_images(tasks, 3, 3, 12, 2), 3, {}};
  episodes.plans.resize(static_cast<size_t>(tasks));
  for (size_t t = 0; t < episodes.plans.size(); ++t) episodes.plans[t].index = t;
  return episodes;
}

/// Float64 weights with something random in every learnable: none that begins as zeros or ones
/// hides a mistake.
inline ParamList shaken_weights(const Algorithm& algorithm, double by = 0.3) {
  ParamList weights = algorithm.init({{1, 12, 12}, 3}, Stream(3, Purpose::initialisation, 0))
                          .to(torch::kCPU, torch::kDouble)
                          .clone();
  uint64_t index = 1;
  for (Param& param : weights) {
    if (param.role == Role::learnable)
      param.value = param.value + by * numbers(param.value.sizes().vec(), index++);
  }
  return weights;
}

/// How far learn() is from being the gradient of its own losses.
struct GradientError {
  double worst = 0;       ///< largest difference, relative to the norm of the whole gradient
  std::string parameter;  ///< where
};

/// Central differences of the sum over tasks of learn()'s last losses (those after the last inner
/// step) against its gradients, at `coordinates` random places of each learnable. Float64 weights
/// and tasks; the step is as small as kinks of ReLU and maxima need it.
inline GradientError learn_gradient_error(const Algorithm& algorithm, const ParamList& at,
                                          const Episodes& tasks, const Context& context,
                                          int coordinates = 40, double step = 1e-6) {
  const ParamList weights = at.clone();
  const ParamList gradients = algorithm.learn(weights, tasks, context).gradients;
  double squares = 0;
  for (const Param& gradient : gradients) squares += gradient.value.square().sum().item<double>();
  const auto loss = [&] {
    return algorithm.learn(weights, tasks, context).losses.select(1, -1).sum().item<double>();
  };
  GradientError error;
  Stream pick(5, Purpose::algorithm, 0);
  for (const Param& gradient : gradients) {
    const Tensor values = weights[gradient.name].view(-1), slopes = gradient.value.reshape(-1);
    double* value = values.data_ptr<double>();
    for (int i = 0; i < coordinates; ++i) {
      const auto k = static_cast<int64_t>(pick.below(static_cast<uint64_t>(values.numel())));
      const double old = value[k];
      value[k] = old + step;
      const double above = loss();
      value[k] = old - step;
      const double below = loss();
      value[k] = old;
      const double difference = (above - below) / (2 * step) - slopes[k].item<double>();
      const double relative = std::abs(difference) / std::sqrt(squares);
      if (!(relative <= error.worst)) error = {relative, gradient.name};
    }
  }
  return error;
}

}  // namespace kshot::test
