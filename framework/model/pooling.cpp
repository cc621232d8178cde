#include "framework/model/pooling.h"

namespace kshot {
namespace {

Tensor split_again(const Tensor& pooled, const Tensor& x) {
  return pooled.unflatten(0, {x.size(0), x.size(1)});
}

}  // namespace

Tensor max_pool(const Tensor& x, const PoolWindow& window) {
  return split_again(torch::max_pool2d(x.flatten(0, 1), window.size, window.stride, window.border),
                     x);
}

Tensor mean_pool(const Tensor& x, const PoolWindow& window) {
  return split_again(torch::avg_pool2d(x.flatten(0, 1), window.size, window.stride, window.border),
                     x);
}

Tensor mean_grid(const Tensor& x, int64_t rows, int64_t columns) {
  if (x.size(3) == rows && x.size(4) == columns) return x;
  return split_again(torch::adaptive_avg_pool2d(x.flatten(0, 1), {rows, columns}), x);
}

}  // namespace kshot
