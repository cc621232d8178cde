#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "framework/base/fields.h"
#include "framework/model/safetensors.h"

namespace kshot {

/// Weights, optimiser state and what else a resume needs, as two files:
///   NAME.safetensors  tensors "weights/<parameter>" and "optimizer/<parameter>.<part>"
///   NAME.json         {"sha256": of the first file, "state": {...}, "state_sha256": of the state}
struct Checkpoint {
  ParamList weights;
  ParamList optimizer;  ///< may be empty
  Json state = Json::object();
};

/// What becomes of the checkpoint that had the name before.
enum class Previous { drop, keep };

/// Writes both files and reads them back before they take the place of those that lie there, which
/// become NAME.previous.*. Whenever it is interrupted, by a kill or a full disk, the checkpoint
/// before or the new one can be loaded. Throws Error(io).
void save_checkpoint(const std::filesystem::path& folder, const std::string& name,
                     const Checkpoint& checkpoint, Previous previous = Previous::drop);

/// Reads them back into weights like `like`. Throws Error(bad_data) where a byte differs from what
/// was written or the tensors do not fit, Error(io) where a file is missing.
Checkpoint load_checkpoint(const std::filesystem::path& folder, const std::string& name,
                           const ParamList& like);

/// A checkpoint to go on from.
struct Latest {
  Checkpoint checkpoint;
  std::string warning;  ///< why it is the one before the last; empty for the last
};

/// The last checkpoint of that name or, where it is damaged, the one that was kept from before.
/// Throws as load_checkpoint() does, of the last, where neither can be read.
Latest load_latest(const std::filesystem::path& folder, const std::string& name,
                   const ParamList& like);

/// The state of the last checkpoint of that name, without its tensors; absent where there is none
/// or its file is damaged.
std::optional<Json> checkpoint_state(const std::filesystem::path& folder, const std::string& name);

/// Whether there is one to load, be it the one before.
bool has_checkpoint(const std::filesystem::path& folder, const std::string& name);

}  // namespace kshot
