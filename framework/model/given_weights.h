#pragma once

#include <string>
#include <vector>

#include "framework/model/backbone.h"
#include "framework/model/input_transform.h"
#include "framework/model/safetensors.h"

namespace kshot {

/// Weights that a backbone starts from, instead of drawn ones.
struct GivenWeights {
  std::vector<NamedTensor> tensors;  ///< by the backbone's own names
  std::string where;                 ///< the file, for messages
  /// Patterns of parameter names ("layer4.*", "*.bn?.*"); what matches none of them never changes.
  std::vector<std::string> trainable{"*"};
  InputTransform input = {};  ///< of images, before the first layer
};

/// The same backbone with given weights: init() returns them, as Role::constant where they are not
/// trainable, and images pass through their input transform first. init() throws Error(bad_data)
/// that names each missing, extra or misshapen tensor, and Error(bad_spec) for a pattern that
/// matches no parameter.
BackbonePtr starting_from(BackbonePtr backbone, GivenWeights given);

/// Whether a name fits a pattern in which "*" stands for any text and "?" for one character.
bool matches(std::string_view name, std::string_view pattern);

}  // namespace kshot
