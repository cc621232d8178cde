#pragma once

#include "framework/model/task_ops.h"

namespace kshot {

/// Normalises each vector along the last axis of x [T,...,D] by its own mean and (biased) variance,
/// then scales and shifts it (Ba et al. 2016). gamma, beta: [D] or [T,D].
Tensor layer_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, double eps);

}  // namespace kshot
