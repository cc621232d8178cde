#include "framework/model/attention.h"

#include <cmath>

namespace kshot {

Tensor multi_head_attention(const Tensor& queries, const Tensor& keys, const Tensor& values,
                            int64_t heads) {
  TORCH_CHECK(queries.size(-1) % heads == 0, queries.size(-1), " numbers a token for ", heads,
              " heads");
  const auto by_head = [heads](const Tensor& x) {  // [T,N,heads,L,d]
    return x.unflatten(-1, {heads, x.size(-1) / heads}).transpose(2, 3);
  };
  const Tensor q = by_head(queries), k = by_head(keys), v = by_head(values);
  const double scale = 1 / std::sqrt(static_cast<double>(q.size(-1)));
  const Tensor weights = torch::softmax(torch::matmul(q * scale, k.transpose(-2, -1)), -1);
  return torch::matmul(weights, v).transpose(2, 3).flatten(-2);
}

}  // namespace kshot
