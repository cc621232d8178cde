#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>

namespace kshot {

/// The right to work on one trial of a sweep, which one controller has at a time, whether on one
/// machine or on several that share the folder.
///
/// It is a file `<index>.<generation>` that the owner alone could create, and on which it holds a
/// flock that its child inherits. The newest generation counts. It is free again when its owner
/// says so in it; on the owner's machine, when the kernel says that neither owner nor child is
/// left; seen from another machine, when its heartbeat, the file's time, is a minute old. Who then
/// creates the next generation has the lock; older files stay, so that a name never means two
/// locks.
class TrialLock {
 public:
  /// nullptr where another has it. Throws Error(io).
  static std::unique_ptr<TrialLock> acquire(const std::filesystem::path& folder, int64_t index);
  ~TrialLock();
  TrialLock(const TrialLock&) = delete;
  TrialLock& operator=(const TrialLock&) = delete;

  /// The heartbeat: to be called more often than every kBeat; works no more often than that.
  /// False where another has taken over, because this process stood still for too long.
  bool beat();
  /// For the child, which must keep it open.
  int descriptor() const { return descriptor_; }

  static constexpr std::chrono::seconds kBeat{5}, kStale{60};

 private:
  using Clock = std::chrono::steady_clock;
  TrialLock(std::filesystem::path path, std::filesystem::path successor, int descriptor);

  std::filesystem::path path_, successor_;
  int descriptor_;
  Clock::time_point last_{};
};

}  // namespace kshot
