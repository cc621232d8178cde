#include "framework/model/listed_backbone.h"

#include "framework/model/initialise.h"

namespace kshot {

template <class Draw>
void WeightList::add(const std::string& name, const std::vector<int64_t>& shape, Role role,
                     const Draw& draw) {
  const auto nowhere = torch::TensorOptions(torch::kFloat).device(torch::kMeta);
  params_.add(
      {name, stream_ ? draw(stream_->split(params_.size())) : torch::empty(shape, nowhere), role});
}

void WeightList::fill(const std::string& name, const std::vector<int64_t>& shape, double value,
                      Role role) {
  add(name, shape, role, [&](const Stream&) { return torch::full(shape, value, torch::kFloat); });
}

void WeightList::layer(const std::string& name, const std::vector<int64_t>& shape, bool bias,
                       const std::string& scheme) {
  weight(name + ".weight", shape, scheme);
  if (bias) this->bias(name + ".bias", shape, scheme);
}

void WeightList::weight(const std::string& name, const std::vector<int64_t>& shape,
                        const std::string& scheme) {
  add(name, shape, Role::learnable, [&](const Stream& stream) {
    return initial_weight(scheme.empty() ? scheme_ : scheme, shape, stream);
  });
}

void WeightList::bias(const std::string& name, const std::vector<int64_t>& weight_shape,
                      const std::string& scheme) {
  add(name, {weight_shape[0]}, Role::learnable, [&](const Stream& stream) {
    return initial_bias(scheme.empty() ? scheme_ : scheme, weight_shape, stream);
  });
}

void WeightList::truncated_normal(const std::string& name, const std::vector<int64_t>& shape,
                                  double std) {
  add(name, shape, Role::learnable,
      [&](const Stream& stream) { return truncated_normal_tensor(shape, std, stream); });
}

void WeightList::zeros(const std::string& name, const std::vector<int64_t>& shape) {
  fill(name, shape, 0, Role::learnable);
}

void WeightList::batch_norm(const std::string& name, int64_t channels) {
  layer_norm(name, channels);
  fill(name + ".running_mean", {channels}, 0, Role::buffer);
  fill(name + ".running_var", {channels}, 1, Role::buffer);
}

void WeightList::layer_norm(const std::string& name, int64_t channels) {
  fill(name + ".weight", {channels}, 1, Role::learnable);
  fill(name + ".bias", {channels}, 0, Role::learnable);
}

ParamList ListedBackbone::listed(const Shapes& shapes, std::optional<Stream> stream) const {
  output_shape(shapes.input);  // refuses what does not fit
  WeightList weights(scheme_, stream);
  list(weights, shapes.input);
  return weights.params();
}

ParamList ListedBackbone::init(const Shapes& shapes, Stream stream) const {
  return listed(shapes, stream);
}

ParamList ListedBackbone::layout(const Shapes& shapes) const {
  return listed(shapes, std::nullopt);
}

}  // namespace kshot
