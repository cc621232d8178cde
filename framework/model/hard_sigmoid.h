#pragma once

#include "framework/model/params.h"

namespace kshot {

/// min(max(x + 3, 0), 6) / 6, element by element (Howard et al. 2019). A composition: LibTorch's
/// own has no second derivative.
inline Tensor hard_sigmoid(const Tensor& x) { return torch::clamp(x + 3, 0, 6) / 6; }

}  // namespace kshot
