#include "experiments/sweep/trial_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <tuple>

#include "framework/base/atomic_file.h"
#include "framework/base/error.h"
#include "framework/base/fields.h"
#include "framework/base/strict_json.h"

namespace kshot {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const fs::path& path, const char* what) {
  throw Error(Exit::io, "{}: {}: {}", path.string(), what, std::strerror(errno));
}

fs::path file_of(const fs::path& folder, int64_t index, int64_t generation) {
  return folder / fmt::format("{}.{}", index, generation);
}

/// This boot of this machine: equal for all processes that one kernel's flock holds for.
std::string machine() {
  std::error_code error;
  const fs::path path = "/proc/sys/kernel/random/boot_id";
  return fs::exists(path, error) ? read_file(path).substr(0, 36) : "";
}

/// Replaces what an open lock file says. It is for others to read: where the disk is full, they
/// take an empty file for one of an unknown machine.
void say(int descriptor, const Json& json) {
  const std::string text = json.dump();
  std::ignore = ::ftruncate(descriptor, 0);
  std::ignore = ::pwrite(descriptor, text.data(), text.size(), 0);
}

/// Seconds since the last heartbeat by the clock of the file system, which machines share, and not
/// by their own ones.
double age_of(const fs::path& path) {
  struct stat beat{}, now{};
  const fs::path probe = path.parent_path() / fmt::format(".now.{}.tmp", ::getpid());
  const int descriptor = ::open(probe.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor < 0) fail(probe, "cannot be created");
  std::ignore = ::futimens(descriptor, nullptr);
  const bool known = ::fstat(descriptor, &now) == 0 && ::stat(path.c_str(), &beat) == 0;
  ::close(descriptor);
  ::unlink(probe.c_str());
  if (!known) fail(path, "has no time");
  return static_cast<double>(now.st_mtim.tv_sec - beat.st_mtim.tv_sec) +
         1e-9 * static_cast<double>(now.st_mtim.tv_nsec - beat.st_mtim.tv_nsec);
}

bool is_held(const fs::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) fail(path, "cannot be opened");
  // Shared, so that two who look at a dead lock do not take each other for its owner.
  const bool refused = ::flock(descriptor, LOCK_SH | LOCK_NB) != 0;
  const int reason = errno;
  ::close(descriptor);
  const Json said = parse_strict(read_file(path)).value;
  if (said.is_object() && said.value("released", false)) return false;
  if (refused && reason == EWOULDBLOCK) return true;
  const bool here = said.is_object() && said.value("machine", "") == machine();
  if (!refused && here && !machine().empty()) return false;
  return age_of(path) < static_cast<double>(TrialLock::kStale.count());
}

}  // namespace

std::unique_ptr<TrialLock> TrialLock::acquire(const fs::path& folder, int64_t index) {
  int64_t generation = 0;
  while (fs::exists(file_of(folder, index, generation))) ++generation;
  if (generation > 0 && is_held(file_of(folder, index, generation - 1))) return nullptr;
  const fs::path path = file_of(folder, index, generation);
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (descriptor < 0 && errno == EEXIST) return nullptr;
  if (descriptor < 0) fail(path, "cannot be created");
  // Waits at most for somebody's glance. File systems without flock have the heartbeat alone.
  while (::flock(descriptor, LOCK_EX) != 0 && errno == EINTR) continue;
  say(descriptor, {{"machine", machine()}, {"process", ::getpid()}});
  return std::unique_ptr<TrialLock>(
      new TrialLock(path, file_of(folder, index, generation + 1), descriptor));
}

TrialLock::TrialLock(fs::path path, fs::path successor, int descriptor)
    : path_(std::move(path)), successor_(std::move(successor)), descriptor_(descriptor) {}

TrialLock::~TrialLock() {
  say(descriptor_, {{"released", true}});
  ::close(descriptor_);
}

bool TrialLock::beat() {
  if (Clock::now() - last_ < kBeat) return true;
  last_ = Clock::now();
  std::ignore = ::futimens(descriptor_, nullptr);
  std::error_code error;
  return !fs::exists(successor_, error);
}

}  // namespace kshot
