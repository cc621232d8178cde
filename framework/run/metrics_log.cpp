#include "framework/run/metrics_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <tuple>

#include "framework/base/error.h"
#include "framework/base/fault_point.h"

namespace kshot {

MetricsLog::MetricsLog(std::filesystem::path path, uint64_t length)
    : path_(std::move(path)), length_(length) {
  descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (descriptor_ < 0) fail("cannot be opened");
  const off_t found = ::lseek(descriptor_, 0, SEEK_END);
  if (found < 0) fail("cannot be measured");
  if (static_cast<uint64_t>(found) < length) {
    ::close(descriptor_);
    throw Error(Exit::bad_data, "{}: has {} bytes, but the checkpoint to resume from remembers {}",
                path_.string(), found, length);
  }
  if (::ftruncate(descriptor_, static_cast<off_t>(length)) != 0) fail("cannot be cut");
}

MetricsLog::~MetricsLog() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void MetricsLog::append(const Json& line) {
  const std::string text = line.dump() + "\n";
  fault_point();
  size_t written = 0;
  while (written < text.size()) {
    const ssize_t count = ::write(descriptor_, text.data() + written, text.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("cannot be written");
    written += static_cast<size_t>(count);
  }
  length_ += text.size();
  fault_point();
}

void MetricsLog::flush() {
  if (::fdatasync(descriptor_) != 0) fail("cannot be flushed to disk");
}

/// Leaves whole lines behind.
void MetricsLog::fail(const char* what) {
  const int reason = errno;
  if (descriptor_ >= 0) {
    std::ignore = ::ftruncate(descriptor_, static_cast<off_t>(length_));
    ::close(descriptor_);
    descriptor_ = -1;
  }
  throw Error(Exit::io, "{}: {}: {}", path_.string(), what, std::strerror(reason));
}

}  // namespace kshot
