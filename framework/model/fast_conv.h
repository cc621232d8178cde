#pragma once

#include "framework/model/task_ops.h"

namespace kshot {

/// By which kernels fast_conv() computes a call.
enum class ConvPath {
  none,      ///< not at all: not float or double on a CPU, kernels that are not square, groups
  winograd,  ///< 3x3, stride 1, one zero around the image, 16 to 256 channels: minimal filtering
  direct,    ///< one to four input channels of images that need no gradient: patch by patch
  library,   ///< all else: LibTorch's kernels, see library_conv()
};
ConvPath fast_conv_path(const Tensor& x, const Tensor& weight, const Conv2d& conv);

/// conv2d(): x [T,N,C,H,W], weight [O,C,k,k] or [T,O,C,k,k], bias [O], [T,O] or undefined ->
/// [T,N,O,h,w]. The same but for rounding, its gradients of every order included, which take the
/// same path. The bits depend on task threads never, on intra-op threads only by the path
/// `library`.
Tensor fast_conv(const Tensor& x, const Tensor& weight, const Tensor& bias, const Conv2d& conv);

}  // namespace kshot
