#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace kshot {

/// A command of this same program in a process of its own, which ends when this one does: where
/// this process dies, the child gets SIGTERM and stops in order.
class TrialProcess {
 public:
  /// Starts `kshot WORDS...`. What it prints is appended to `log`; it keeps the descriptor
  /// `inherited` open. Throws Error(io).
  TrialProcess(const std::vector<std::string>& words, const std::filesystem::path& log,
               int inherited);
  /// Kills a child that still runs.
  ~TrialProcess();
  TrialProcess(TrialProcess&& other) noexcept;
  TrialProcess& operator=(TrialProcess&&) = delete;

  /// The exit code once it has ended; 128 + the signal that ended it.
  std::optional<int> poll();
  /// Asks it to stop in order, once: a second signal would kill it.
  void stop();

 private:
  pid_t id_ = -1;
  bool stopped_ = false;
};

}  // namespace kshot
