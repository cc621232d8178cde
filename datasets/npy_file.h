#pragma once

#include <filesystem>

#include "framework/model/params.h"

namespace kshot {

/// The array of a NumPy .npy file (format versions 1 to 3) as a tensor of its own: float32,
/// float64, uint8, int32 or int64, little-endian and in C order. The file says how long it is; what
/// its header says is only believed where both agree. Throws Error(io), Error(bad_data).
Tensor read_npy(const std::filesystem::path& path);

}  // namespace kshot
