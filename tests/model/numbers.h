#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "framework/base/rng.h"
#include "framework/model/params.h"

namespace kshot::test {

/// Numbers in (-1, 1), float64, a function of shape and index alone.
inline Tensor numbers(const std::vector<int64_t>& shape, uint64_t index) {
  Stream stream(23, Purpose::algorithm, index);
  Tensor tensor = torch::empty(shape, torch::kDouble);
  double* values = tensor.data_ptr<double>();
  for (int64_t i = 0; i < tensor.numel(); ++i) values[i] = stream.uniform(-1, 1);
  return tensor;
}

/// The largest absolute difference; infinite where shapes differ.
inline double difference(const Tensor& a, const Tensor& b) {
  if (a.sizes() != b.sizes()) return std::numeric_limits<double>::infinity();
  return a.numel() == 0 ? 0 : (a - b).abs().max().item<double>();
}

using Function = std::function<Tensor(const std::vector<Tensor>&)>;

inline std::vector<Tensor> leaves(const std::vector<Tensor>& values) {
  std::vector<Tensor> result;
  for (const Tensor& value : values) result.push_back(value.detach().clone().requires_grad_(true));
  return result;
}

/// A scalar that depends on all of `y`, curved so that second derivatives do not vanish.
inline Tensor curved_sum(const Tensor& y, uint64_t index) {
  return (torch::sin(y) * numbers(y.sizes().vec(), index)).sum();
}

/// What a function says: its values, the gradients of a scalar of them, and the gradients of a
/// scalar of those gradients.
struct Derivatives {
  Tensor values;
  std::vector<Tensor> first, second;
};

inline std::vector<Tensor> gradients(const Tensor& scalar, const std::vector<Tensor>& inputs,
                                     bool create_graph) {
  auto result =
      torch::autograd::grad({scalar}, inputs, {}, true, create_graph, /*allow_unused=*/true);
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!result[i].defined()) result[i] = torch::zeros_like(inputs[i]);
  }
  return result;
}

inline Tensor scalar_of_gradients(const Function& function, const std::vector<Tensor>& inputs,
                                  Derivatives& found) {
  found.values = function(inputs);
  found.first = gradients(curved_sum(found.values, 1001), inputs, true);
  Tensor scalar = torch::zeros({}, torch::kDouble);
  for (size_t i = 0; i < inputs.size(); ++i) scalar = scalar + curved_sum(found.first[i], 1002 + i);
  return scalar;
}

inline Derivatives derivatives(const Function& function, const std::vector<Tensor>& at) {
  const std::vector<Tensor> inputs = leaves(at);
  Derivatives found;
  const Tensor scalar = scalar_of_gradients(function, inputs, found);
  found.second = gradients(scalar, inputs, false);
  return found;
}

/// The largest difference between the gradients of a scalar function and its central differences,
/// over every coordinate.
inline double central_difference_error(
    const std::function<double(const std::vector<Tensor>&)>& scalar, const std::vector<Tensor>& at,
    const std::vector<Tensor>& gradient, double step) {
  double worst = 0;
  for (size_t i = 0; i < at.size(); ++i) {
    for (int64_t k = 0; k < at[i].numel(); ++k) {
      std::vector<Tensor> moved = at;
      const auto value = [&](double by) {
        moved[i] = at[i].clone();
        moved[i].view(-1)[k] += by;
        return scalar(moved);
      };
      const double slope = (value(step) - value(-step)) / (2 * step);
      worst = std::max(worst, std::abs(slope - gradient[i].reshape(-1)[k].item<double>()));
    }
  }
  return worst;
}

/// The same for the first and the second derivatives of a function of tensors.
struct DerivativeErrors {
  double first, second;
};

inline DerivativeErrors derivative_errors(const Function& function, const std::vector<Tensor>& at,
                                          double step = 1e-5) {
  const Derivatives found = derivatives(function, at);
  const auto value = [&](const std::vector<Tensor>& inputs) {
    return curved_sum(function(inputs), 1001).item<double>();
  };
  const auto of_gradients = [&](const std::vector<Tensor>& inputs) {
    Derivatives ignored;
    return scalar_of_gradients(function, leaves(inputs), ignored).item<double>();
  };
  return {central_difference_error(value, at, found.first, step),
          central_difference_error(of_gradients, at, found.second, step)};
}

}  // namespace kshot::test
