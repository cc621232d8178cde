#include "framework/model/conv_block.h"

#include <algorithm>

#include "framework/model/affine_pool.h"
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

/// gamma and beta of the norm with the modulation that follows it taken in: [T,C] each.
NormParams modulated(NormParams norm, const Film& film) {
  norm.gamma = norm.gamma.defined() ? norm.gamma * film.scale : film.scale;
  norm.beta = norm.beta.defined() ? norm.beta * film.scale + film.shift : film.shift;
  return norm;
}

Tensor modulated(const Tensor& y, const Film& film) {
  const auto along = [&](const Tensor& value) { return value.view({y.size(0), 1, -1, 1, 1}); };
  return y * along(film.scale) + along(film.shift);
}

const Film* film_for(const ConvBlock& block, const Forward& forward) {
  return block.film ? forward.film : nullptr;
}

/// Whether all that follows the convolution of x, and its bias, is one pass of ours: norm and
/// modulation, if any, come first, then maxima and activation in any order.
bool fusable(const Tensor& x, const ConvBlock& block) {
  if (block.pool && block.pool_same) return false;
  const bool order = block.stages.front() == Stage::norm || (!block.norm && !block.film);
  return order && norm_pool_covers(x);
}

/// What follows the convolution y, which lacks its bias, in one.
Tensor fused_stages(const Tensor& y, const Tensor& bias, NormParams norm, const ConvBlock& block,
                    Forward& forward) {
  const PoolAndActivation then{.pool = block.pool, .slope = block.negative_slope};
  const Film* const film = film_for(block, forward);
  if (block.norm) {
    if (film != nullptr) norm = modulated(std::move(norm), *film);
    return norm_pool(y, norm, then, forward, bias);
  }
  const Tensor one = torch::ones({y.size(2)}, y.options().requires_grad(false));
  Tensor scale = film == nullptr ? one : film->scale,
         shift = film == nullptr ? one * 0 : film->shift;
  if (bias.defined()) shift = shift + bias * scale;
  return affine_pool(y, scale, shift, then);
}

/// The same stage by stage, in the block's own order; y has its bias.
Tensor plain_stages(Tensor y, const NormParams& norm, const ConvBlock& block, Forward& forward) {
  for (const Stage stage : cheapest_order(block.stages)) {
    switch (stage) {
      case Stage::norm:
        if (block.norm) y = batch_norm(y, norm, forward);
        if (const Film* film = film_for(block, forward)) y = modulated(y, *film);
        break;
      case Stage::activation:
        if (block.negative_slope == 1) break;
        y = block.negative_slope == 0 ? torch::relu(y) : torch::leaky_relu(y, block.negative_slope);
        break;
      case Stage::pool:
        if (block.pool) y = max_pool2(y, block.pool_same);
        break;
    }
  }
  return y;
}

const char* name_of(ConvPath path) {
  switch (path) {
    case ConvPath::winograd:
      return "winograd";
    case ConvPath::direct:
      return "direct";
    case ConvPath::library:
      return "library";
    case ConvPath::none:
      break;
  }
  return "reference";
}

/// A convolution by itself.
bool nothing_follows(const ConvBlock& block) {
  return !block.norm && !block.film && !block.pool && block.negative_slope == 1;
}

Tensor labelled_block(const std::string& label, const Tensor& x, const ParamList& params,
                      const BlockNames& names, const ConvBlock& block, Forward& forward) {
  const Tensor &weight = params[names.conv + ".weight"],
               bias = or_nothing(params, names.conv + ".bias");
  const bool fast = forward.kernels == Kernels::fast, bare = nothing_follows(block),
             fused = fast && !bare && fusable(x, block);
  const ConvPath path = fast ? fast_conv_path(x, weight, block.conv) : ConvPath::none;
  if (forward.paths != nullptr) {
    const char* rest = bare ? "" : fused ? ", the rest fused" : ", the rest reference";
    forward.paths->note(label, fmt::format("convolution {}{}", name_of(path), rest));
  }
  const Tensor now = fused ? Tensor() : bias;
  const Tensor y = path == ConvPath::none ? conv2d(x, weight, now, block.conv)
                                          : fast_conv(x, weight, now, block.conv);
  if (bare) return y;
  const NormParams norm = norm_params(params, names.norm, block.eps);
  return fused ? fused_stages(y, bias, norm, block, forward)
               : plain_stages(y, norm, block, forward);
}

}  // namespace

Tensor conv_block(const Tensor& x, const ParamList& params, const BlockNames& names,
                  const ConvBlock& block, Forward& forward) {
  return labelled_block(names.conv, x, params, names, block, forward);
}

Tensor conv_block(const Tensor& x, const ParamList& params, const std::string& name,
                  const ConvBlock& block, Forward& forward) {
  return labelled_block(name, x, params, {name + ".conv", name + ".norm"}, block, forward);
}

Tensor norm_block(const Tensor& x, const ParamList& params, const std::string& norm,
                  const ConvBlock& block, Forward& forward) {
  const bool fused = forward.kernels == Kernels::fast && fusable(x, block);
  if (forward.paths != nullptr) forward.paths->note(norm, fused ? "fused" : "reference");
  const NormParams with = norm_params(params, norm, block.eps);
  return fused ? fused_stages(x, {}, with, block, forward) : plain_stages(x, with, block, forward);
}

}  // namespace kshot
