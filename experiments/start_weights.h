#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "framework/model/given_weights.h"
#include "framework/model/weight_entry.h"

namespace kshot {

/// What a spec's backbone block says beside the options of the architecture.
struct WeightsChoice {
  std::optional<std::string> weights;       ///< an id of kshot weights list, or a run's folder
  std::vector<std::string> trainable{"*"};  ///< patterns of parameter names

  void describe(Fields& fields);
};

/// Takes these keys out of a backbone block.
WeightsChoice take_weights_choice(Json& block);

/// Where weights come from.
struct WeightSource {
  std::string reference;  ///< as the spec names it
  Json backbone;          ///< the architecture's block
  std::filesystem::path file;
  std::string sha256;  ///< that the file must have; empty for a run's checkpoint
  std::string prefix;  ///< of the backbone's tensors in the file
  std::vector<std::string> other_tensors;  ///< patterns of tensors that the backbone does not take
  InputTransform input;
  WeightData data;  ///< what they were trained on
};

/// A registered entry, or a finished run. Reads no weights. Throws Error(bad_spec) with the nearest
/// id where there is neither.
WeightSource find_weights(const std::string& reference);

struct StartWeights {
  GivenWeights given;
  std::string sha256;  ///< of the file
};

/// Reads the file. Throws Error(bad_data) where its hash is not the registered one.
StartWeights load_weights(const WeightSource& source, const std::vector<std::string>& trainable);

}  // namespace kshot
