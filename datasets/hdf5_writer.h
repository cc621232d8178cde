#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "framework/base/atomic_file.h"
#include "framework/model/params.h"

namespace kshot {

/// Writes an HDF5 file into an AtomicFile, tensors contiguous and uncompressed. No time stamps: the
/// same calls give the same bytes. A full disk or the like is an Error(io); nothing is left behind
/// then.
class Hdf5Writer {
 public:
  /// The first `user_block` bytes (0, or a power of two from 512 on) are left to the caller.
  explicit Hdf5Writer(AtomicFile& file, uint64_t user_block = 0);
  ~Hdf5Writer();
  Hdf5Writer(const Hdf5Writer&) = delete;
  Hdf5Writer& operator=(const Hdf5Writer&) = delete;

  void make_group(const std::string& name);
  /// uint8, int64, float32 or float64, of any shape.
  void write(const std::string& name, const Tensor& values);
  /// As uint8 [length], UTF-8.
  void write_text(const std::string& name, std::string_view text);
  /// Ends the file; the caller then commits the AtomicFile.
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kshot
