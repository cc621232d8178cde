#pragma once

#include <string>
#include <vector>

#include "framework/model/task_ops.h"

namespace kshot {

/// The stages after the convolution, in the order in which they are applied.
enum class Stage { norm, activation, pool };

/// One block: a convolution of the weight's size, then norm, activation and pooling in a given
/// order, each of which may be absent.
struct ConvBlock {
  Conv2d conv = {};
  std::vector<Stage> stages{Stage::norm, Stage::activation, Stage::pool};
  bool norm = true;
  bool pool = true;
  bool pool_same = false;     ///< an odd last row or column is pooled too
  double negative_slope = 0;  ///< 0: ReLU; 1: no activation; else LeakyReLU
  double eps = 1e-5;
  bool film = false;  ///< Forward::film, if any, acts on this block, behind its norm
};

/// What a block's parameters are called: `conv`.weight, .bias, and `norm`.weight (gamma), .bias
/// (beta), .running_mean, .running_var. Those that are absent are not applied.
struct BlockNames {
  std::string conv, norm = {};
};

/// x [T,N,C,H,W] -> [T,N,O,h,w]. With Kernels::fast by our own kernels where they serve, and
/// Forward::paths is told which, as `names.conv`.
Tensor conv_block(const Tensor& x, const ParamList& params, const BlockNames& names,
                  const ConvBlock& block, Forward& forward);

/// The same with parameters `name.conv` and `name.norm`; told to Forward::paths as `name`.
Tensor conv_block(const Tensor& x, const ParamList& params, const std::string& name,
                  const ConvBlock& block, Forward& forward);

/// A block's stages without a convolution, for networks that normalise first. x [T,N,C,H,W] ->
/// [T,N,C,h,w]; told to Forward::paths as `norm`.
Tensor norm_block(const Tensor& x, const ParamList& params, const std::string& norm,
                  const ConvBlock& block, Forward& forward);

}  // namespace kshot
