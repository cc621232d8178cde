#include "framework/model/dropout.h"

#include <algorithm>

#include "framework/base/error.h"
#include "framework/model/initialise.h"

namespace kshot {
namespace {

/// 1 where a draw falls below p, else 0: of x's dtype and device, of shape [T, `each`...].
Tensor chance(const Tensor& x, std::vector<int64_t> each, double p, uint64_t place,
              const Forward& forward) {
  if (static_cast<int64_t>(forward.streams.size()) != x.size(0)) {
    throw Error(Exit::bad_spec,
                "the backbone is to drop features with probability {}, but the algorithm gives "
                "random streams for {} of {} tasks; expected 0 for the backbone's dropout and "
                "drop_block, or an algorithm that serves them",
                p, forward.streams.size(), x.size(0));
  }
  std::vector<Tensor> hits;
  for (const Stream& stream : forward.streams)
    hits.push_back(uniform_tensor(each, 1, stream.split(place)).lt(2 * p - 1));
  return torch::stack(hits).to(x.device(), x.scalar_type());
}

}  // namespace

Tensor dropout(const Tensor& x, double p, uint64_t place, const Forward& forward) {
  if (p == 0 || !forward.training) return x;
  const Tensor dropped = chance(x, x.sizes().slice(1).vec(), p, place, forward);
  return x * ((1 - dropped) / (1 - p));
}

Tensor drop_block(const Tensor& x, double p, int64_t size, uint64_t place, const Forward& forward) {
  if (p == 0 || !forward.training) return x;
  const int64_t height = x.size(3), width = x.size(4), side = std::min({size, height, width});
  // Where a square's first corner may lie, and how often it must for a share p to be covered.
  const int64_t rows = height - side + 1, columns = width - side + 1;
  const double corner = p / static_cast<double>(side * side) * static_cast<double>(height * width) /
                        static_cast<double>(rows * columns);
  const Tensor corners =
      chance(x, {x.size(1), x.size(2), rows, columns}, std::min(corner, 1.0), place, forward);
  const Tensor around =
      torch::constant_pad_nd(corners, {side - 1, side - 1, side - 1, side - 1}).flatten(0, 1);
  const Tensor left = 1 - torch::max_pool2d(around, side, 1).unflatten(0, {x.size(0), x.size(1)});
  // An image of which nothing is left stays zero.
  const Tensor weight = left.mean(at::IntArrayRef({2, 3, 4}), true);
  return x * (left / weight.clamp_min(1e-6));
}

}  // namespace kshot
