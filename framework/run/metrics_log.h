#pragma once

#include <cstdint>
#include <filesystem>

#include "framework/base/fields.h"

namespace kshot {

/// A file of JSON lines that a run appends to. Whole lines only: what a kill leaves behind the last
/// checkpoint is cut off on resume, by the length that the checkpoint remembers.
class MetricsLog {
 public:
  /// Opens or makes the file and cuts it to `length` bytes. Throws Error(io), Error(bad_data) where
  /// it is shorter than that.
  MetricsLog(std::filesystem::path path, uint64_t length);
  ~MetricsLog();
  MetricsLog(const MetricsLog&) = delete;
  MetricsLog& operator=(const MetricsLog&) = delete;

  /// Throws Error(io), on a full disk say; no part of the line stays then.
  void append(const Json& line);
  /// Makes what was appended outlast a power failure. Throws Error(io).
  void flush();
  uint64_t length() const { return length_; }

 private:
  [[noreturn]] void fail(const char* what);

  std::filesystem::path path_;
  int descriptor_ = -1;
  uint64_t length_;
};

}  // namespace kshot
