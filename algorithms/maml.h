#pragma once

#include <functional>

#include "algorithms/inner_loop.h"
#include "algorithms/network.h"

namespace kshot {

/// What the members of MAML's family have in common, and how they differ.
struct MamlSettings : InnerLoopOptions {
  bool second_order = true;
  Adapting adapting;
  std::string loss = "mean";

  /// The options that every member offers; each adds its own.
  void describe_common(Fields& fields);
};

/// Gradient descent on a task's support set, from weights that are trained so that it works: MAML,
/// and, by its settings, FOMAML, ANIL and BOIL. A member with step sizes of its own overrides
/// own_learnables() and update().
class Maml : public Algorithm {
 public:
  Maml(const MamlSettings& settings, BackbonePtr backbone);

  ParamList init(const Shapes& shapes, Stream stream) const override;
  TaskGradients learn(const ParamList& weights, const Episodes& tasks,
                      const Context& context) const override;
  std::unique_ptr<Learner> adapt(const ParamList& weights, const Labelled& support,
                                 const Shapes& shapes, const Context& context) const override;
  bool transductive() const override { return settings_.batch_norm == "transductive"; }
  std::string batch_norm() const override { return settings_.batch_norm; }

 protected:
  /// Step sizes and their like, for weights `network` that adapt.
  virtual ParamList own_learnables(const ParamList& network) const;
  /// theta - alpha g; `weights` hold own_learnables().
  virtual Tensor update(const ParamList& weights, const Param& param, const Tensor& gradient) const;

  const MamlSettings& settings() const { return settings_; }
  const Network& network() const { return network_; }

 private:
  Tensor losses_of(const Tensor& outputs, const Labelled& set, int64_t support_images) const;
  /// The support set's losses [T] as a function of what adapts; `weights` is what begins.
  std::function<Tensor(const ParamList&)> support_losses(const ParamList& weights,
                                                         const Labelled& support,
                                                         bool training) const;

  MamlSettings settings_;
  Network network_;
};

}  // namespace kshot
