#include "framework/model/layer_norm.h"

namespace kshot {
namespace {

/// [T,D] -> something that broadcasts against x [T,...,D].
Tensor along_last_axis(const Tensor& param, const Tensor& x) {
  TORCH_CHECK(param.dim() == 2 && param.size(0) == x.size(0), "a parameter of shape ",
              param.sizes(), " serves neither all nor ", x.size(0), " tasks");
  std::vector<int64_t> shape(static_cast<size_t>(x.dim()), 1);
  shape.front() = x.size(0);
  shape.back() = x.size(-1);
  return param.reshape(shape);
}

}  // namespace

Tensor layer_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, double eps) {
  if (gamma.dim() == 1 && beta.dim() == 1)
    return torch::layer_norm(x, {x.size(-1)}, gamma, beta, eps);
  const auto along = [&](const Tensor& param) {
    return param.dim() == 1 ? param : along_last_axis(param, x);
  };
  const Tensor normalised = torch::layer_norm(x, {x.size(-1)}, {}, {}, eps);
  return torch::addcmul(along(beta), normalised, along(gamma));
}

}  // namespace kshot
