#include "framework/model/params.h"

#include "framework/base/error.h"

namespace kshot {

void ParamList::add(const std::string& prefix, const ParamList& part) {
  for (const Param& param : part) {
    params_.push_back({prefix + "." + param.name, param.value, param.role, param.group});
  }
}

const Param* ParamList::find(std::string_view name) const {
  for (const Param& param : params_) {
    if (param.name == name) return &param;
  }
  return nullptr;
}

const Tensor& ParamList::operator[](std::string_view name) const {
  const Param* param = find(name);
  if (param == nullptr) throw Error(Exit::internal, "no parameter is named \"{}\"", name);
  return param->value;
}

ParamList ParamList::scope(std::string_view prefix) const {
  ParamList part;
  for (const Param& param : params_) {
    const std::string_view name = param.name;
    const bool inside =
        name.size() > prefix.size() && name.starts_with(prefix) && name[prefix.size()] == '.';
    if (inside) {
      part.add({std::string(name.substr(prefix.size() + 1)), param.value, param.role, param.group});
    }
  }
  return part;
}

ParamList ParamList::with_role(Role role) const {
  ParamList part;
  for (const Param& param : params_) {
    if (param.role == role) part.add(param);
  }
  return part;
}

ParamList ParamList::with_values(const std::vector<Tensor>& values) const {
  TORCH_CHECK(values.size() == size(), "with_values: ", values.size(), " tensors for ", size());
  ParamList result = *this;
  for (size_t i = 0; i < values.size(); ++i) result.params_[i].value = values[i];
  return result;
}

std::vector<Tensor> ParamList::values() const {
  std::vector<Tensor> result;
  result.reserve(size());
  for (const Param& param : params_) result.push_back(param.value);
  return result;
}

ParamList ParamList::attach() const {
  ParamList result = *this;
  for (Param& param : result) {
    param.value = param.value.detach();
    if (param.role == Role::learnable) param.value.requires_grad_(true);
  }
  return result;
}

ParamList ParamList::clone() const {
  ParamList result = *this;
  for (Param& param : result) param.value = param.value.detach().clone();
  return result;
}

ParamList ParamList::to(const torch::Device& device, torch::Dtype dtype) const {
  ParamList result = *this;
  for (Param& param : result) {
    const bool floating = param.value.is_floating_point();
    param.value = param.value.detach().to(device, floating ? dtype : param.value.scalar_type());
  }
  return result;
}

int64_t count_learnable(const ParamList& params) {
  int64_t count = 0;
  for (const Param& param : params) {
    if (param.role == Role::learnable) count += param.value.numel();
  }
  return count;
}

}  // namespace kshot
