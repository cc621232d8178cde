#include "framework/model/initialise.h"

#include <cmath>
#include <functional>
#include <numeric>

#include "framework/base/error.h"

namespace kshot {
namespace {

Tensor filled(const std::vector<int64_t>& shape, const std::function<double()>& draw) {
  Tensor tensor = torch::empty(shape, torch::kFloat);
  auto* values = tensor.data_ptr<float>();
  for (int64_t i = 0; i < tensor.numel(); ++i) values[i] = static_cast<float>(draw());
  return tensor;
}

struct Fans {
  double in, out;
};

Fans fans_of(const std::vector<int64_t>& shape) {
  const auto inner =
      std::accumulate(shape.begin() + 2, shape.end(), int64_t{1}, std::multiplies<>());
  return {static_cast<double>(shape[1] * inner), static_cast<double>(shape[0] * inner)};
}

}  // namespace

Tensor uniform_tensor(const std::vector<int64_t>& shape, double bound, Stream stream) {
  return filled(shape, [&] { return stream.uniform(-bound, bound); });
}

Tensor normal_tensor(const std::vector<int64_t>& shape, double std, Stream stream) {
  return filled(shape, [&] { return std * stream.normal(); });
}

Tensor truncated_normal_tensor(const std::vector<int64_t>& shape, double std, Stream stream) {
  return filled(shape, [&] {
    double value = stream.normal();
    while (std::abs(value) > 2) value = stream.normal();
    return std * value;
  });
}

const std::vector<std::string>& initial_schemes() {
  static const std::vector<std::string> schemes{
      "pytorch",          "xavier_uniform",  "xavier_normal",    "he_normal",
      "truncated_normal", "standard_normal", "he_normal_fan_out"};
  return schemes;
}

Tensor initial_weight(const std::string& scheme, const std::vector<int64_t>& shape, Stream stream) {
  const Fans fans = fans_of(shape);
  if (scheme == "pytorch") return uniform_tensor(shape, 1 / std::sqrt(fans.in), stream);
  if (scheme == "xavier_uniform") {
    return uniform_tensor(shape, std::sqrt(6 / (fans.in + fans.out)), stream);
  }
  if (scheme == "xavier_normal") {
    return normal_tensor(shape, std::sqrt(2 / (fans.in + fans.out)), stream);
  }
  if (scheme == "he_normal") return normal_tensor(shape, std::sqrt(2 / fans.in), stream);
  if (scheme == "he_normal_fan_out") return normal_tensor(shape, std::sqrt(2 / fans.out), stream);
  if (scheme == "truncated_normal") return truncated_normal_tensor(shape, 0.01, stream);
  if (scheme == "standard_normal") return normal_tensor(shape, 1, stream);
  throw Error(Exit::internal, "no initialisation is called \"{}\"", scheme);
}

Tensor initial_bias(const std::string& scheme, const std::vector<int64_t>& weight_shape,
                    Stream stream) {
  if (scheme != "pytorch") return torch::zeros({weight_shape[0]});
  return uniform_tensor({weight_shape[0]}, 1 / std::sqrt(fans_of(weight_shape).in), stream);
}

}  // namespace kshot
