#pragma once

#include "framework/model/task_ops.h"

namespace kshot {

/// A linear layer and, if wanted, ReLU: x [T,N,I], weight [O,I] or [T,O,I], bias [O], [T,O] or
/// undefined -> [T,N,O]. With Kernels::fast by kernels of our own for small layers, tasks side by
/// side in LibTorch's intra-op threads, where calls and copies would otherwise take most of the
/// time; `forward.paths` is told as `layer`. Values and derivatives of every order are those of the
/// plain composition but for rounding; the bits do not depend on threads.
Tensor dense(const Tensor& x, const Tensor& weight, const Tensor& bias, bool relu,
             const std::string& layer, const Forward& forward);

}  // namespace kshot
