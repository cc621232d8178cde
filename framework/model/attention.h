#pragma once

#include "framework/model/task_ops.h"

namespace kshot {

/// Attention of several heads (Vaswani et al. 2017): of each image's sequence of L tokens, split
/// along D into `heads` parts of d = D / heads, softmax(q k^T / sqrt(d)) v, put together again.
/// queries [T,N,L,D], keys and values [T,N,M,D] -> [T,N,L,D]. The projections before and behind are
/// linear layers of the caller's, shared or per task.
/// A composition: LibTorch's fused attention has no second derivative.
Tensor multi_head_attention(const Tensor& queries, const Tensor& keys, const Tensor& values,
                            int64_t heads);

}  // namespace kshot
