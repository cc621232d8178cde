#include "experiments/records/run_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>
#include <thread>

#include "framework/base/atomic_file.h"
#include "framework/base/error.h"

namespace kshot {
namespace {

/// Whether the open file is the one that has the name: its last owner may just have removed it.
bool still_named(int descriptor, const std::filesystem::path& path) {
  struct stat opened{}, named{};
  return ::fstat(descriptor, &opened) == 0 && ::stat(path.c_str(), &named) == 0 &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

enum class Locked { yes, no, cannot };

/// Tries for a moment: held() locks the file, too, while it looks.
Locked lock(int descriptor) {
  constexpr int kTries = 10;
  for (int i = 0; i < kTries; ++i) {
    if (i > 0) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) return Locked::yes;
    if (errno != EWOULDBLOCK) return Locked::cannot;
  }
  return Locked::no;
}

}  // namespace

RunLock::RunLock(const std::filesystem::path& folder) : path_(folder / "lock") {
  while (true) {
    descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (descriptor_ < 0)
      throw Error(Exit::io, "{}: cannot be created: {}", path_.string(), std::strerror(errno));
    if (const Locked locked = lock(descriptor_); locked != Locked::yes) {
      const int reason = errno;
      ::close(descriptor_);
      if (locked == Locked::cannot)
        throw Error(Exit::io, "{}: cannot be locked: {}", path_.string(), std::strerror(reason));
      const std::string owner = read_file(path_);
      throw Error(Exit::io, "{}: another kshot is at work in this run{}", folder.string(),
                  owner.empty() ? "" : ": process " + owner);
    }
    if (still_named(descriptor_, path_)) break;
    ::close(descriptor_);
  }
  const std::string owner = std::to_string(::getpid());
  if (::ftruncate(descriptor_, 0) != 0 ||
      ::pwrite(descriptor_, owner.data(), owner.size(), 0) != static_cast<ssize_t>(owner.size())) {
    // The number is for people; the lock holds without it.
  }
}

RunLock::~RunLock() {
  if (still_named(descriptor_, path_)) ::unlink(path_.c_str());
  ::close(descriptor_);
}

bool RunLock::held(const std::filesystem::path& folder) {
  const int descriptor = ::open((folder / "lock").c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return false;
  const bool held = ::flock(descriptor, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(descriptor);
  return held;
}

}  // namespace kshot
