#pragma once

#include <array>
#include <string>
#include <utility>

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
  /// Input channels fall into so many groups, each seen by its own share of the outputs; as many as
  /// there are channels: depthwise.
  int64_t groups = 1;
};

using Extent = std::array<int64_t, 2>;  ///< height and width

/// The zeros that `conv` puts around images x [...,H,W], made explicit where they are not
/// symmetric; returns what the convolution by a kernel of that extent itself still has to pad.
Extent pad_image(Tensor& x, Extent kernel, const Conv2d& conv);

/// How many rows (columns) are left of `size` by kernels that long.
int64_t size_after(int64_t size, int64_t kernel, const Conv2d& conv);

/// x [T,N,C,H,W], weight [O,C/groups,k,l] or [T,O,C/groups,k,l], bias [O], [T,O] or undefined ->
/// [T,N,O,h,w].
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

/// The mean and variance, [C] or [T,C], that batch_norm() takes x [T,N,C,...] to have, by the mode
/// that `forward` asks for; reports those that it met. Throws Error(internal) where `given` lacks
/// the layer.
std::pair<Tensor, Tensor> norm_statistics(const Tensor& x, const NormParams& params,
                                          Forward& forward);

/// Normalises x [T,N,C,...] per task and channel by the statistics that `forward` asks for and
/// reports those that it met (Ioffe & Szegedy 2015).
Tensor batch_norm(const Tensor& x, const NormParams& params, Forward& forward);

/// Squared Euclidean distances of a [T,A,F] to b [T,B,F] -> [T,A,B].
Tensor squared_distances(const Tensor& a, const Tensor& b);

/// Cosines of the angles between a [T,A,F] and b [T,B,F] -> [T,A,B]. A vector of zeros has the
/// cosine 0 with all.
Tensor cosine_similarities(const Tensor& a, const Tensor& b);

}  // namespace kshot
