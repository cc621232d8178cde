#pragma once

#include <optional>
#include <string>
#include <vector>

#include "framework/model/backbone.h"

namespace kshot {

/// Takes down an architecture's parameters one after another: with fresh values, parameter k from
/// stream.split(k), or, without a stream, as shapes alone.
class WeightList {
 public:
  /// `scheme`: one of initial_schemes(), for all weights that do not ask for another.
  WeightList(std::string scheme, std::optional<Stream> stream)
      : scheme_(std::move(scheme)), stream_(stream) {}

  /// `name.weight` of that shape and, if wanted, `name.bias`: [O,C/groups,k,l] of a convolution,
  /// [O,F] of a linear layer.
  void layer(const std::string& name, const std::vector<int64_t>& shape, bool bias,
             const std::string& scheme = {});
  /// The same under names of their own.
  void weight(const std::string& name, const std::vector<int64_t>& shape,
              const std::string& scheme = {});
  void bias(const std::string& name, const std::vector<int64_t>& weight_shape,
            const std::string& scheme = {});
  /// N(0, std^2), cut at two standard deviations.
  void truncated_normal(const std::string& name, const std::vector<int64_t>& shape, double std);
  void zeros(const std::string& name, const std::vector<int64_t>& shape);
  /// gamma 1, beta 0, and the running mean 0 and variance 1 as buffers.
  void batch_norm(const std::string& name, int64_t channels);
  /// gamma 1, beta 0.
  void layer_norm(const std::string& name, int64_t channels);

  const ParamList& params() const { return params_; }

 private:
  template <class Draw>
  void add(const std::string& name, const std::vector<int64_t>& shape, Role role, const Draw& draw);
  void fill(const std::string& name, const std::vector<int64_t>& shape, double value, Role role);

  std::string scheme_;
  std::optional<Stream> stream_;
  ParamList params_;
};

/// A backbone that lists its parameters in one place: fresh weights and the mere layout both come
/// from that.
class ListedBackbone : public Backbone {
 public:
  /// `scheme`: one of initial_schemes().
  explicit ListedBackbone(std::string scheme) : scheme_(std::move(scheme)) {}

  ParamList init(const Shapes& shapes, Stream stream) const final;
  ParamList layout(const Shapes& shapes) const final;

 protected:
  /// For samples that output_shape() has accepted.
  virtual void list(WeightList& weights, std::span<const int64_t> input) const = 0;

 private:
  ParamList listed(const Shapes& shapes, std::optional<Stream> stream) const;

  std::string scheme_;
};

}  // namespace kshot
