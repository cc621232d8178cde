#include "framework/run/metrics_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "framework/base/error.h"

namespace kshot {

MetricsLog::MetricsLog(std::filesystem::path path, uint64_t length)
    : path_(std::move(path)), length_(length) {
  descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor_ < 0 || ::ftruncate(descriptor_, static_cast<off_t>(length)) != 0 ||
      ::lseek(descriptor_, 0, SEEK_END) < 0) {
    throw Error(Exit::io, "{}: cannot be opened: {}", path_.string(), std::strerror(errno));
  }
}

MetricsLog::~MetricsLog() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void MetricsLog::append(const Json& line) {
  const std::string text = line.dump() + "\n";
  if (::write(descriptor_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    throw Error(Exit::io, "{}: cannot be written: {}", path_.string(), std::strerror(errno));
  }
  length_ += text.size();
}

}  // namespace kshot
