#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "framework/model/params.h"

namespace kshot {

/// A file's bytes as read-only memory, for as long as this or a tensor made from it lives.
class MappedFile {
 public:
  /// Throws Error(io).
  explicit MappedFile(const std::filesystem::path& path);

  /// Values that stand at `offset` in the file. Never written to: the memory is read-only.
  /// Throws Error(bad_data) where they reach past its end.
  Tensor tensor(uint64_t offset, const std::vector<int64_t>& shape, torch::Dtype dtype) const;

  /// Throws Error(bad_data) where the file was written to since it was mapped: the memory may show
  /// other bytes then. A new file of the same name is not this one.
  void check_unchanged() const;

 private:
  struct Region;
  std::shared_ptr<const Region> region_;
};

}  // namespace kshot
