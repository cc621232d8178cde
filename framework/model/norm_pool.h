#pragma once

#include "framework/model/task_ops.h"

namespace kshot {

/// What follows batch norm in a block: 2x2 maxima (an odd last row or column is left out), and
/// z -> z > 0 ? z : slope z. With slope 1 there is no activation.
struct PoolAndActivation {
  bool pool = true;
  double slope = 0;
};

/// Whether norm_pool() can do this call: images in float or double on a CPU.
bool norm_pool_covers(const Tensor& u);

/// activation(max_pool2(batch_norm(u))) of u [T,N,C,H,W] -> [T,N,C,h,w], in few passes over memory
/// and without the intermediate results. The same as the plain composition but for rounding, its
/// gradient of any order included: of batch statistics the first two by formulas of our own, those
/// beyond through the plain composition; fixed statistics, and those that stay part of the graph,
/// by affine_pool().
/// The bits depend neither on task threads nor on intra-op threads.
/// `left_out`, [C], [T,C] or undefined: a bias that u lacks; it is cheaper in the mean that is
/// subtracted. In NormMode::batch that takes it away again: it moves the statistics that are met,
/// and its gradient is zero.
Tensor norm_pool(const Tensor& u, const NormParams& params, const PoolAndActivation& then,
                 Forward& forward, const Tensor& left_out = {});

/// The plain composition of the same.
Tensor norm_pool_plain(const Tensor& u, const NormParams& params, const PoolAndActivation& then,
                       Forward& forward);

}  // namespace kshot
