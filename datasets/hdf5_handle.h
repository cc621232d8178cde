#pragma once
// HDF5's C API in handles that close themselves. Behind hdf5_writer.h and hdf5_reader.h.

#include <hdf5.h>

#include <mutex>
#include <utility>

namespace kshot {

/// Every use of HDF5 happens inside one: the library is no faster in several threads and prints its
/// errors to stderr unless told otherwise, thread by thread.
class Hdf5Session {
 public:
  Hdf5Session() : lock_(mutex()) { H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr); }

 private:
  static std::recursive_mutex& mutex() {
    static std::recursive_mutex instance;
    return instance;
  }
  std::unique_lock<std::recursive_mutex> lock_;
};

class Hdf5Handle {
 public:
  Hdf5Handle() = default;
  Hdf5Handle(hid_t id, herr_t (*closer)(hid_t)) : id_(id), close_(closer) {}
  ~Hdf5Handle() {
    if (id_ >= 0) close_(id_);
  }
  Hdf5Handle(Hdf5Handle&& other) noexcept
      : id_(std::exchange(other.id_, H5I_INVALID_HID)), close_(other.close_) {}
  Hdf5Handle& operator=(Hdf5Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }

  hid_t id() const { return id_; }
  bool ok() const { return id_ >= 0; }
  /// Closes now, and says whether that went well.
  bool close() { return close_(std::exchange(id_, H5I_INVALID_HID)) >= 0; }

 private:
  hid_t id_ = H5I_INVALID_HID;
  herr_t (*close_)(hid_t) = nullptr;
};

}  // namespace kshot
