#pragma once

#include "framework/model/task_ops.h"

namespace kshot {

/// Zeroes each value of x [T,N,...] with probability p and scales the others by 1 / (1 - p), where
/// Forward::training (Srivastava et al. 2014). Task t draws from Forward::streams[t].split(place);
/// `place` tells one layer of a network from another. Passes with the same streams drop the same.
/// Throws Error(bad_spec) where there are no streams to draw from.
Tensor dropout(const Tensor& x, double p, uint64_t place, const Forward& forward);

/// Zeroes size x size squares of each channel of x [T,N,C,H,W], about a share p of the map, and
/// scales what is left of an image so that its mean weight stays 1 (DropBlock: Ghiasi et al. 2018,
/// algorithm 1). Squares lie within the map; a smaller map has smaller ones. The paper scales by
/// the whole batch: here no image depends on another. Draws like dropout().
Tensor drop_block(const Tensor& x, double p, int64_t size, uint64_t place, const Forward& forward);

}  // namespace kshot
