#pragma once

#include <filesystem>

namespace kshot {

/// The right to work in a run's folder, which one process has at a time. A file `lock` in the
/// folder holds it, and goes with it; a killed process loses it at once.
class RunLock {
 public:
  /// Throws Error(io) where another process has it, naming that one, and where the folder cannot be
  /// written.
  explicit RunLock(const std::filesystem::path& folder);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

  /// Whether some process has it now.
  static bool held(const std::filesystem::path& folder);

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
};

}  // namespace kshot
