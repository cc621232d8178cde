#pragma once

#include "framework/model/task_ops.h"

namespace kshot {

/// A convolution by LibTorch's kernels on channels-last images, for what our own do not serve:
/// strides, other sizes of kernels, very many or very few channels. x [T*N,C,H,W], channels-last,
/// weight [T,O,C,k,k] or, shared, [1,O,C,k,k] -> [T*N,O,h,w]; `padding` zeros around the image.
/// A convolution is bilinear, and each of its gradients, to any order, is here again one call of
/// LibTorch's kernels; its own derivative of the backward pass regroups and copies.
/// The bits depend on the number of intra-op threads.
Tensor library_conv(const Tensor& x, const Tensor& weight, int64_t stride, int64_t padding);

}  // namespace kshot
