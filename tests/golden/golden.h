#pragma once

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "framework/model/params.h"

namespace kshot::test {

/// tests/golden/learn2learn.json: numbers from learn2learn 0.2.1 in float64 (how they were made is
/// in tests/golden/README.md).
inline nlohmann::json golden_case(const std::string& name) {
  std::ifstream file(std::string(KSHOT_SOURCE_DIR) + "/tests/golden/learn2learn.json");
  return nlohmann::json::parse(file).at(name);
}

/// t.flat[i] = scale sin(0.37 i + phase), float64.
inline Tensor golden_fill(const std::vector<int64_t>& shape, double phase, double scale) {
  Tensor tensor = torch::empty(shape, torch::kDouble);
  double* values = tensor.data_ptr<double>();
  for (int64_t i = 0; i < tensor.numel(); ++i)
    values[i] = scale * std::sin(0.37 * static_cast<double>(i) + phase);
  return tensor;
}

/// The golden parameters: the k-th learnable (k = 1, 2, ...) is fill(k, 0.3); a norm's gamma is
/// 1 + fill(0.2, 0.1), its beta fill(0.9, 0.1). Learned step sizes are 0.4.
inline ParamList golden_weights(const ParamList& like) {
  ParamList weights = like.to(torch::kCPU, torch::kDouble).clone();
  double k = 0;
  for (Param& param : weights) {
    if (param.role != Role::learnable) continue;
    if (param.name.starts_with("inner_lr.")) {
      param.value.fill_(0.4);
      continue;
    }
    k += 1;
    const auto shape = param.value.sizes().vec();
    const bool norm = param.name.find(".norm.") != std::string::npos;
    if (!norm) {
      param.value = golden_fill(shape, k, 0.3);
    } else if (param.name.ends_with("weight")) {
      param.value = 1 + golden_fill(shape, 0.2, 0.1);
    } else {
      param.value = golden_fill(shape, 0.9, 0.1);
    }
  }
  return weights;
}

}  // namespace kshot::test
