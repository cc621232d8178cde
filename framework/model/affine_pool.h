#pragma once

#include "framework/model/norm_pool.h"

namespace kshot {

/// activation(max_pool2(scale u + shift)) of u [T,N,C,H,W] -> [T,N,C,h,w]; scale and shift: [C] or
/// [T,C]. Float or double on a CPU. Where a gradient is wanted, the pixel that passes each window
/// is chosen first, so that all that is part of the graph has a quarter of the size; its
/// derivatives of every order are those of the plain composition.
Tensor affine_pool(const Tensor& u, const Tensor& scale, const Tensor& shift,
                   const PoolAndActivation& then);

}  // namespace kshot
