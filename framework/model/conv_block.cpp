#include "framework/model/conv_block.h"

#include <algorithm>

#include "framework/model/fast_conv.h"
#include "framework/model/norm_pool.h"

namespace kshot {
namespace {

Tensor or_nothing(const ParamList& params, const std::string& name) {
  const Param* param = params.find(name);
  return param == nullptr ? Tensor() : param->value;
}

NormParams norm_params(const ParamList& params, const std::string& layer, double eps) {
  return {.layer = layer,
          .gamma = or_nothing(params, layer + ".weight"),
          .beta = or_nothing(params, layer + ".bias"),
          .running_mean = or_nothing(params, layer + ".running_mean"),
          .running_var = or_nothing(params, layer + ".running_var"),
          .eps = eps};
}

/// Maxima and an increasing activation commute, gradients included; pooling first leaves the
/// activation a quarter of the work.
std::vector<Stage> cheapest_order(std::vector<Stage> stages) {
  for (size_t i = 0; i + 1 < stages.size(); ++i) {
    if (stages[i] == Stage::activation && stages[i + 1] == Stage::pool) {
      std::swap(stages[i], stages[i + 1]);
    }
  }
  return stages;
}

Tensor convolve(const Tensor& x, const Tensor& weight, const Tensor& bias, const ConvBlock& block,
                const Forward& forward) {
  if (forward.kernels == Kernels::fast && fast_conv_covers(x, weight, block.conv))
    return fast_conv(x, weight, bias, block.conv);
  return conv2d(x, weight, bias, block.conv);
}

const Film* film_for(const ConvBlock& block, const Forward& forward) {
  return block.film ? forward.film : nullptr;
}

Tensor modulated(const Tensor& y, const Film& film) {
  const auto along = [&](const Tensor& value) { return value.view({y.size(0), 1, -1, 1, 1}); };
  return y * along(film.scale) + along(film.shift);
}

bool wants_gradient(const Tensor& param) {
  return torch::GradMode::is_enabled() && param.defined() && param.requires_grad();
}

/// Whether all that follows the convolution of x, and its bias, is norm_pool's business.
bool fusable(const Tensor& x, const Tensor& weight, const Tensor& bias, const NormParams& norm,
             const ConvBlock& block, const Forward& forward) {
  if (forward.kernels != Kernels::fast || !block.norm || (block.pool && block.pool_same) ||
      film_for(block, forward) != nullptr || block.stages.front() != Stage::norm) {
    return false;
  }
  const bool fixed = forward.norm != NormMode::batch;
  if (fixed && (wants_gradient(weight) || wants_gradient(bias))) return false;
  return norm_pool_covers(x, norm, forward);
}

}  // namespace

Tensor conv_block(const Tensor& x, const ParamList& params, const std::string& name,
                  const ConvBlock& block, Forward& forward) {
  const Tensor &weight = params[name + ".conv.weight"],
               bias = or_nothing(params, name + ".conv.bias");
  const NormParams norm = norm_params(params, name + ".norm", block.eps);
  const PoolAndActivation then{.pool = block.pool, .slope = block.negative_slope};
  if (fusable(x, weight, bias, norm, block, forward))
    return norm_pool(convolve(x, weight, {}, block, forward), norm, then, forward, bias);
  Tensor y = convolve(x, weight, bias, block, forward);
  for (const Stage stage : cheapest_order(block.stages)) {
    switch (stage) {
      case Stage::norm:
        if (block.norm) y = batch_norm(y, norm, forward);
        if (const Film* film = film_for(block, forward)) y = modulated(y, *film);
        break;
      case Stage::activation:
        y = block.negative_slope == 0 ? torch::relu(y) : torch::leaky_relu(y, block.negative_slope);
        break;
      case Stage::pool:
        if (block.pool) y = max_pool2(y, block.pool_same);
        break;
    }
  }
  return y;
}

}  // namespace kshot
