#pragma once

#include "framework/model/task_ops.h"

namespace kshot {

/// Whether fast_conv() can do this call: float or double on a CPU, square kernels, symmetric
/// padding or none, and
/// - 3x3, stride 1, one zero around the image, 16 to 256 channels: Winograd's minimal filtering; or
/// - one to four input channels of images that need no gradient: directly, patch by patch.
bool fast_conv_covers(const Tensor& x, const Tensor& weight, const Conv2d& conv);

/// conv2d() by our own kernels: x [T,N,C,H,W], weight [O,C,k,k] or [T,O,C,k,k], bias [O], [T,O] or
/// undefined -> [T,N,O,h,w]. The same but for rounding, its gradients of every order included,
/// which take the same path. The bits depend neither on task threads nor on intra-op threads.
Tensor fast_conv(const Tensor& x, const Tensor& weight, const Tensor& bias, const Conv2d& conv);

}  // namespace kshot
