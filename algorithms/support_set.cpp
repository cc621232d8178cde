#include "algorithms/support_set.h"

#include "framework/base/error.h"

namespace kshot {

Tensor class_members(const Tensor& labels, int64_t way, const Tensor& like) {
  const Tensor members = torch::one_hot(labels, way);
  if (members.sum(1).eq(0).any().item<bool>()) {
    throw Error(Exit::bad_data, "a class has no support image: this method needs 1 shot at least");
  }
  return members.to(like.scalar_type());
}

Tensor class_means(const Tensor& features, const Tensor& labels, int64_t way) {
  const Tensor members = class_members(labels, way, features);  // [T,S,way]
  return torch::bmm(members.transpose(1, 2), features) / members.sum(1).unsqueeze(-1);
}

}  // namespace kshot
