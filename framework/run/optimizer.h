#pragma once

#include <memory>
#include <string>
#include <vector>

#include "framework/model/params.h"
#include "framework/run/optimizer_options.h"

namespace torch::optim {
class Optimizer;  // its headers are slow to compile: optimizer.cpp alone includes them
}

namespace kshot {

/// LibTorch's optimiser over the learnables of a ParamList, whose tensors it changes in place.
class Optimizer {
 public:
  /// Throws Error(bad_spec) for a group that no parameter has.
  Optimizer(const OptimizerOptions& options, const ParamList& weights);
  ~Optimizer();

  /// One step with the given gradients (one per learnable, in order) at the rates of iteration i.
  void step(const ParamList& gradients, int64_t i, int64_t iterations);

  /// Its moments and counters by parameter name, for a checkpoint.
  ParamList state() const;
  /// The inverse. Throws Error(bad_data) where the state is not this optimiser's.
  void load_state(const ParamList& state, const std::string& where);

 private:
  OptimizerOptions options_;
  ParamList learnable_;
  std::vector<double> group_lr_;
  std::unique_ptr<torch::optim::Optimizer> optimizer_;
};

}  // namespace kshot
