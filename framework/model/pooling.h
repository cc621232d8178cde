#pragma once

#include "framework/model/task_ops.h"

/// Pooling of any size along the task axis; max_pool2() of task_ops.h is the one that conv blocks
/// have.
namespace kshot {

/// A square window, and the border around the image that windows may reach into.
struct PoolWindow {
  int64_t size = 2, stride = 2, border = 0;

  /// How many rows (columns) are left of `length`; windows that do not fit are left out.
  int64_t size_after(int64_t length) const {
    return length + 2 * border < size ? 0 : (length + 2 * border - size) / stride + 1;
  }
};

/// Maxima of x [T,N,C,H,W] -> [T,N,C,h,w]; the border never wins.
Tensor max_pool(const Tensor& x, const PoolWindow& window);

/// Means of x [T,N,C,H,W] -> [T,N,C,h,w]; the border counts as zeros.
Tensor mean_pool(const Tensor& x, const PoolWindow& window);

/// Means over rows x columns fields that cover x [T,N,C,H,W]: field i spans the rows
/// floor(i H / rows) to ceil((i + 1) H / rows) -> [T,N,C,rows,columns].
Tensor mean_grid(const Tensor& x, int64_t rows, int64_t columns);

}  // namespace kshot
