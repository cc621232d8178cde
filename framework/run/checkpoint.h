#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "framework/base/fields.h"
#include "framework/model/safetensors.h"

namespace kshot {

/// Weights, optimiser state and what else a resume needs, as two files:
///   NAME.safetensors  tensors "weights/<parameter>" and "optimizer/<parameter>.<part>"
///   NAME.json         {"sha256": of the first file, "state": {...}, "previous": the same of the
///                     checkpoint before, which counts where the first file is still that one's}
struct Checkpoint {
  ParamList weights;
  ParamList optimizer;  ///< may be empty
  Json state = Json::object();
};

/// Writes both files. Whenever it is interrupted, by a kill or a full disk, what lies there is the
/// checkpoint before or the new one. Throws Error(io).
void save_checkpoint(const std::filesystem::path& folder, const std::string& name,
                     const Checkpoint& checkpoint);

/// Reads them back into weights like `like`. Throws Error(bad_data) where a byte differs from what
/// was written or the tensors do not fit, Error(io) where a file is missing.
Checkpoint load_checkpoint(const std::filesystem::path& folder, const std::string& name,
                           const ParamList& like);

bool has_checkpoint(const std::filesystem::path& folder, const std::string& name);

}  // namespace kshot
