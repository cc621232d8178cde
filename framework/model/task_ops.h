#pragma once

#include <string>

#include "framework/model/backbone.h"

/// Network operations along the task axis. Every input is [T,N,...]; every parameter is either
/// shared (its own rank) or per task (one extra leading axis of size T). How tasks are laid out
/// inside is known to these functions alone.
namespace kshot {

struct Conv2d {
  int64_t stride = 1;
  /// Zeros around the image; `same` is TensorFlow's rule: output size ceil(H / stride), the odd
  /// zero at the bottom and right.
  enum class Padding { symmetric, same, none } padding = Padding::symmetric;
};

/// x [T,N,C,H,W], weight [O,C,k,k] or [T,O,C,k,k], bias [O], [T,O] or undefined -> [T,N,O,h,w].
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Conv2d& conv);

/// x [T,N,F], weight [O,F] or [T,O,F], bias [O], [T,O] or undefined -> [T,N,O].
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias);

/// 2x2 maxima with stride 2 of x [T,N,C,H,W]. An odd last row or column is left out, or, with
/// `same`, pooled with what there is.
Tensor max_pool2(const Tensor& x, bool same = false);

/// Parameters of one batch-norm layer: each [C] or [T,C]; gamma and beta may be undefined.
struct NormParams {
  std::string layer;  ///< how statistics are called: "block1.norm"
  Tensor gamma, beta;
  Tensor running_mean, running_var;  ///< read in NormMode::running only
  double eps = 1e-5;
};

/// Normalises x [T,N,C,...] per task and channel by the statistics that `forward` asks for and
/// reports those that it met (Ioffe & Szegedy 2015). Throws Error(internal) where `given` lacks the
/// layer.
Tensor batch_norm(const Tensor& x, const NormParams& params, Forward& forward);

/// Squared Euclidean distances of a [T,A,F] to b [T,B,F] -> [T,A,B].
Tensor squared_distances(const Tensor& a, const Tensor& b);

/// Cosines of the angles between a [T,A,F] and b [T,B,F] -> [T,A,B]. A vector of zeros has the
/// cosine 0 with all.
Tensor cosine_similarities(const Tensor& a, const Tensor& b);

}  // namespace kshot
