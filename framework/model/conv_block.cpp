#include "framework/model/conv_block.h"

#include <algorithm>

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

}  // namespace

Tensor conv_block(const Tensor& x, const ParamList& params, const std::string& name,
                  const ConvBlock& block, Forward& forward) {
  Tensor y =
      conv2d(x, params[name + ".conv.weight"], or_nothing(params, name + ".conv.bias"), block.conv);
  for (const Stage stage : cheapest_order(block.stages)) {
    switch (stage) {
      case Stage::norm:
        if (block.norm) y = batch_norm(y, norm_params(params, name + ".norm", block.eps), forward);
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
