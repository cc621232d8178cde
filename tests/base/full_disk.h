#pragma once

#include <sys/resource.h>

#include <csignal>

namespace kshot::test {

/// While it lives, no file of this process can grow past `bytes`: write() fails as on a full disk
/// (with EFBIG in the place of ENOSPC). Keep assertions outside: doctest's own output may go to a
/// file.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) : old_signal_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &old_limit_);
    const rlimit limit{bytes, old_limit_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &old_limit_);
    std::signal(SIGXFSZ, old_signal_);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  void (*old_signal_)(int);
  rlimit old_limit_{};
};

}  // namespace kshot::test
