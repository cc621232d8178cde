#include "framework/run/optimizer.h"

#include <torch/optim.h>

#include <algorithm>

#include "framework/base/error.h"
#include "framework/base/suggest.h"

namespace kshot {

namespace {

struct Rates {
  double lr, weight_decay;
};

Rates rates_of(const OptimizerOptions& options, const std::string& group) {
  Rates rates{options.lr, options.weight_decay};
  if (!options.groups.contains(group)) return rates;
  GroupOptions own;
  read_config(own, options.groups.at(group), "optimizer.groups." + group);
  return {own.lr.value_or(rates.lr), own.weight_decay.value_or(rates.weight_decay)};
}

std::vector<std::string> groups_of(const ParamList& learnable) {
  std::vector<std::string> groups;
  for (const Param& param : learnable) {
    if (std::find(groups.begin(), groups.end(), param.group) == groups.end())
      groups.push_back(param.group);
  }
  return groups;
}

void check_groups(const OptimizerOptions& options, const std::vector<std::string>& known) {
  if (!options.groups.is_object()) {
    throw Error(Exit::bad_spec, "optimizer.groups is {}, expected {{group: {{...}}}}",
                options.groups.dump());
  }
  for (const auto& [name, value] : options.groups.items()) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      throw Error(
          Exit::bad_spec,
          "optimizer.groups has \"{}\", but no parameter is in that group{}; groups: \"{}\"", name,
          did_you_mean(name, known), fmt::join(known, "\", \""));
    }
  }
}

/// LibTorch checks this for its default group only, and without momentum does not say that it steps
/// plainly.
void check_nesterov(const OptimizerOptions& options) {
  if (options.nesterov && (options.momentum <= 0 || options.dampening != 0)) {
    throw Error(Exit::bad_spec,
                "optimizer.nesterov needs optimizer.momentum above 0 and optimizer.dampening 0; "
                "they are {} and {}",
                options.momentum, options.dampening);
  }
}

template <class Options>
std::unique_ptr<torch::optim::OptimizerOptions> adam_options(const OptimizerOptions& options,
                                                             const Rates& rates) {
  auto result = std::make_unique<Options>(rates.lr);
  result->betas({options.beta1, options.beta2}).eps(options.eps).weight_decay(rates.weight_decay);
  return result;
}

std::unique_ptr<torch::optim::OptimizerOptions> libtorch_options(const OptimizerOptions& options,
                                                                 const Rates& rates) {
  if (options.name == "adam") return adam_options<torch::optim::AdamOptions>(options, rates);
  if (options.name == "adamw") return adam_options<torch::optim::AdamWOptions>(options, rates);
  auto result = std::make_unique<torch::optim::SGDOptions>(rates.lr);
  result->momentum(options.momentum).dampening(options.dampening).nesterov(options.nesterov);
  result->weight_decay(rates.weight_decay);
  return result;
}

std::unique_ptr<torch::optim::Optimizer> libtorch_optimizer(
    const OptimizerOptions& options, const std::vector<torch::optim::OptimizerParamGroup>& groups) {
  if (options.name == "adam") {
    return std::make_unique<torch::optim::Adam>(groups, torch::optim::AdamOptions(options.lr));
  }
  if (options.name == "adamw") {
    return std::make_unique<torch::optim::AdamW>(groups, torch::optim::AdamWOptions(options.lr));
  }
  return std::make_unique<torch::optim::SGD>(groups, torch::optim::SGDOptions(options.lr));
}

/// Calls visit(name, tensor) for each part of one parameter's state; visit may replace the tensor.
template <class State, class Visit>
void visit_adam(State& state, Visit visit) {
  Tensor step = torch::tensor(state.step(), torch::kLong);
  Tensor average = state.exp_avg(), square = state.exp_avg_sq();
  visit("step", step);
  visit("exp_avg", average);
  visit("exp_avg_sq", square);
  state.step(step.item<int64_t>());
  state.exp_avg(average);
  state.exp_avg_sq(square);
}

template <class Visit>
void visit_state(const std::string& optimizer, torch::optim::OptimizerParamState& state,
                 Visit visit) {
  if (optimizer == "adam") {
    visit_adam(static_cast<torch::optim::AdamParamState&>(state), visit);
  } else if (optimizer == "adamw") {
    visit_adam(static_cast<torch::optim::AdamWParamState&>(state), visit);
  } else {
    auto& sgd = static_cast<torch::optim::SGDParamState&>(state);
    Tensor buffer = sgd.momentum_buffer();
    visit("momentum_buffer", buffer);
    sgd.momentum_buffer(buffer);
  }
}

std::unique_ptr<torch::optim::OptimizerParamState> empty_state(const std::string& optimizer) {
  if (optimizer == "adam") return std::make_unique<torch::optim::AdamParamState>();
  if (optimizer == "adamw") return std::make_unique<torch::optim::AdamWParamState>();
  return std::make_unique<torch::optim::SGDParamState>();
}

}  // namespace

Optimizer::Optimizer(const OptimizerOptions& options, const ParamList& weights)
    : options_(options), learnable_(weights.with_role(Role::learnable)) {
  check_nesterov(options_);
  const std::vector<std::string> names = groups_of(learnable_);
  check_groups(options_, names);
  if (learnable_.empty()) return;
  std::vector<torch::optim::OptimizerParamGroup> groups;
  for (const std::string& name : names) {
    std::vector<Tensor> members;
    for (const Param& param : learnable_) {
      if (param.group == name) members.push_back(param.value);
    }
    const Rates rates = rates_of(options_, name);
    group_lr_.push_back(rates.lr);
    groups.emplace_back(std::move(members), libtorch_options(options_, rates));
  }
  optimizer_ = libtorch_optimizer(options_, groups);
}

Optimizer::~Optimizer() = default;

void Optimizer::step(const ParamList& gradients, int64_t i, int64_t iterations) {
  if (!optimizer_) return;
  TORCH_CHECK(gradients.size() == learnable_.size(), "a gradient per learnable is needed");
  for (size_t k = 0; k < learnable_.size(); ++k) {
    Tensor weight = learnable_.at(k).value;  // shares memory and gradient with the list's
    weight.mutable_grad() = gradients.at(k).value;
  }
  for (size_t g = 0; g < group_lr_.size(); ++g) {
    optimizer_->param_groups()[g].options().set_lr(
        scheduled_lr(options_.schedule, group_lr_[g], i, iterations));
  }
  optimizer_->step();
}

ParamList Optimizer::state() const {
  ParamList result;
  if (!optimizer_) return result;
  auto& states = optimizer_->state();
  for (const Param& param : learnable_) {
    const auto found = states.find(param.value.unsafeGetTensorImpl());
    if (found == states.end()) continue;
    visit_state(options_.name, *found->second, [&](const char* part, Tensor& value) {
      if (value.defined()) result.add({param.name + "." + part, value, Role::buffer});
    });
  }
  return result;
}

void Optimizer::load_state(const ParamList& state, const std::string& where) {
  if (optimizer_) optimizer_->state().clear();
  if (state.empty()) return;  // as it is before the first step
  size_t used = 0;
  for (const Param& param : learnable_) {
    auto restored = empty_state(options_.name);
    visit_state(options_.name, *restored, [&](const char* part, Tensor& value) {
      const std::string name = param.name + "." + part;
      const Param* stored = state.find(name);
      if (stored == nullptr)
        throw Error(Exit::bad_data, "{}: optimiser state \"{}\" is missing", where, name);
      const bool counter = value.defined();
      const auto expected = counter ? value.sizes() : param.value.sizes();
      if (stored->value.sizes() != expected) {
        throw Error(Exit::bad_data, "{}: optimiser state \"{}\" does not fit its parameter", where,
                    name);
      }
      value = counter ? stored->value : stored->value.to(param.value.options()).clone();
      ++used;
    });
    optimizer_->state()[param.value.unsafeGetTensorImpl()] = std::move(restored);
  }
  if (used != state.size()) {
    throw Error(Exit::bad_data,
                "{}: its optimiser state is not that of \"{}\" over these parameters", where,
                options_.name);
  }
}

}  // namespace kshot
