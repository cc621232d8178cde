#pragma once

#include <hdf5.h>

#include <optional>

#include "framework/base/atomic_file.h"
#include "framework/base/error.h"

namespace kshot {

/// Where a file that HDF5 writes really goes. HDF5 does not survive a full disk: a file whose flush
/// fails cannot be closed, and the library complains again at exit. So it writes through us
/// (a "virtual file driver"): the first failure is kept, HDF5 is told that all went well, and the
/// caller throws what was kept.
class Hdf5Output {
 public:
  explicit Hdf5Output(AtomicFile& file);
  ~Hdf5Output();
  Hdf5Output(const Hdf5Output&) = delete;
  Hdf5Output& operator=(const Hdf5Output&) = delete;

  /// Makes files opened with this access list go through this object.
  void attach(hid_t file_access);
  void throw_if_failed() const;

  // for the driver
  void write(uint64_t offset, const void* data, size_t size);
  /// Bytes not yet written are zero.
  void read(uint64_t offset, void* data, size_t size) const;
  void extend(uint64_t size);
  uint64_t size() const { return size_; }

 private:
  AtomicFile& file_;
  int descriptor_;
  uint64_t size_ = 0;
  std::optional<Error> failure_;
};

}  // namespace kshot
