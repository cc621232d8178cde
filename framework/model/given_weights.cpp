#include "framework/model/given_weights.h"

#include <algorithm>

#include "framework/base/error.h"
#include "framework/base/suggest.h"

namespace kshot {
namespace {

class StartingFrom final : public Backbone {
 public:
  StartingFrom(BackbonePtr inner, GivenWeights given)
      : inner_(std::move(inner)), given_(std::move(given)) {}

  ParamList init(const Shapes& shapes, Stream stream) const override {
    Shapes transformed = shapes;
    transformed.input = given_.input.output_shape(shapes.input);
    const ParamList drawn = inner_->init(transformed, stream);
    ParamList params = from_tensors(drawn, {.tensors = given_.tensors, .metadata = {}},
                                    /*prefix=*/"", given_.where);
    freeze(params);
    return params;
  }

  Tensor features(const ParamList& params, const Tensor& images, Forward& forward) const override {
    return inner_->features(params, given_.input.apply(images), forward);
  }

  std::vector<int64_t> output_shape(std::span<const int64_t> input) const override {
    return inner_->output_shape(given_.input.output_shape(input));
  }

  int64_t film_channels() const override { return inner_->film_channels(); }
  std::string head() const override { return inner_->head(); }

 private:
  void freeze(ParamList& params) const {
    for (const std::string& pattern : given_.trainable) check_pattern(pattern, params);
    for (Param& param : params) {
      const bool trainable =
          std::any_of(given_.trainable.begin(), given_.trainable.end(),
                      [&](const std::string& pattern) { return matches(param.name, pattern); });
      if (!trainable) param.role = Role::constant;
    }
  }

  static void check_pattern(const std::string& pattern, const ParamList& params) {
    std::vector<std::string> names;
    for (const Param& param : params) names.push_back(param.name);
    if (std::any_of(names.begin(), names.end(),
                    [&](const std::string& name) { return matches(name, pattern); }))
      return;
    throw Error(Exit::bad_spec, "backbone.trainable: \"{}\" matches no parameter{}", pattern,
                did_you_mean(pattern, names));
  }

  BackbonePtr inner_;
  GivenWeights given_;
};

}  // namespace

bool matches(std::string_view name, std::string_view pattern) {
  // Where a "*" was met: it may have to stand for one more character.
  size_t n = 0, p = 0, star = std::string_view::npos, taken = 0;
  while (n < name.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n]) && pattern[p] != '*') {
      ++n;
      ++p;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      taken = n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++taken;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

BackbonePtr starting_from(BackbonePtr backbone, GivenWeights given) {
  return std::make_shared<const StartingFrom>(std::move(backbone), std::move(given));
}

}  // namespace kshot
