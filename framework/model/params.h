#pragma once

// Not <torch/autograd.h>: with its Function every file compiles for more than a second longer.
#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <string>
#include <string_view>
#include <vector>

namespace kshot {

using torch::Tensor;

enum class Role {
  learnable,  ///< the outer optimiser changes it
  buffer,     ///< follows statistics met in training (batch norm's running mean and variance)
  constant,   ///< never changes: frozen weights, a teacher
};

struct Param {
  std::string name;
  Tensor value;
  Role role = Role::learnable;
  std::string group =
      {};  ///< optimiser group with its own lr and weight decay; "" is the default one
};

/// Named tensors in a fixed order. Architectures hold no weights: `init` makes a ParamList and
/// `features(params, ...)` uses it.
/// A parameter's rank says who owns it: one extra leading axis of size T is one copy per task.
class ParamList {
 public:
  void add(Param param) { params_.push_back(std::move(param)); }
  /// Appends every entry of `part` as `prefix.name`.
  void add(const std::string& prefix, const ParamList& part);

  /// The tensor of that name. A missing name is a defect of ours: throws Error(internal).
  const Tensor& operator[](std::string_view name) const;
  /// nullptr where there is none.
  const Param* find(std::string_view name) const;

  /// The entries named `prefix.*`, without the prefix.
  ParamList scope(std::string_view prefix) const;
  /// The entries of one role, in order.
  ParamList with_role(Role role) const;
  /// The same names with other tensors, in the same order.
  ParamList with_values(const std::vector<Tensor>& values) const;
  std::vector<Tensor> values() const;

  /// The same list with each learnable replaced by a leaf of the autograd graph that shares its
  /// memory. Each task thread makes its own: threads never share a leaf.
  ParamList attach() const;
  /// Every tensor copied.
  ParamList clone() const;
  ParamList to(const torch::Device& device, torch::Dtype dtype) const;

  size_t size() const { return params_.size(); }
  bool empty() const { return params_.empty(); }
  auto begin() const { return params_.begin(); }
  auto end() const { return params_.end(); }
  auto begin() { return params_.begin(); }
  auto end() { return params_.end(); }
  const Param& at(size_t i) const { return params_.at(i); }

 private:
  std::vector<Param> params_;
};

/// How many numbers the optimiser may change.
int64_t count_learnable(const ParamList& params);

}  // namespace kshot
