#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "framework/model/weight_entry.h"

namespace kshot {

/// Weights by id: entries that are compiled in, and those in the user's folder, one ID.json each
/// beside its file. An entry of the user's replaces a recipe of the same id.
class WeightRegistry {
 public:
  explicit WeightRegistry(std::filesystem::path folder = default_folder());

  /// $KSHOT_WEIGHTS, else kshot/weights in $XDG_DATA_HOME or ~/.local/share.
  static std::filesystem::path default_folder();

  const std::filesystem::path& folder() const { return folder_; }
  const std::vector<WeightEntry>& entries() const { return entries_; }  ///< by id
  /// What was found in the folder and is no entry, a line each.
  const std::vector<std::string>& problems() const { return problems_; }

  const WeightEntry* find(const std::string& id) const;
  std::filesystem::path file_of(const WeightEntry& entry) const { return folder_ / entry.file; }

  /// Writes the bytes of a safetensors file into the folder under the entry's id, fills in file,
  /// sha256 and bytes, and writes the entry. Throws Error(bad_spec) where the id is taken,
  /// Error(io).
  WeightEntry add(WeightEntry entry, const std::string& bytes);

 private:
  std::filesystem::path folder_;
  std::vector<WeightEntry> entries_;
  std::vector<std::string> problems_;
};

}  // namespace kshot
