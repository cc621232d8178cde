#include "datasets/hdf5_driver.h"

#include <hdf5.h>
#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif

#include <fcntl.h>
#include <unistd.h>

#include <cstring>

namespace kshot {

Hdf5Output::Hdf5Output(AtomicFile& file)
    : file_(file), descriptor_(::open(file.temporary_path().c_str(), O_RDONLY | O_CLOEXEC)) {
  if (descriptor_ < 0) {
    throw Error(Exit::io, "{}: cannot be read: {}", file.temporary_path().string(),
                std::strerror(errno));
  }
}

Hdf5Output::~Hdf5Output() { ::close(descriptor_); }

void Hdf5Output::throw_if_failed() const {
  if (failure_) throw Error(*failure_);
}

void Hdf5Output::write(uint64_t offset, const void* data, size_t size) {
  size_ = std::max(size_, offset + size);
  if (failure_) return;
  try {
    file_.write_at(offset, data, size);
  } catch (const Error& error) {
    failure_ = error;
  }
}

void Hdf5Output::read(uint64_t offset, void* data, size_t size) const {
  auto* to = static_cast<char*>(data);
  std::memset(to, 0, size);
  while (size > 0) {
    const ssize_t count = ::pread(descriptor_, to, size, static_cast<off_t>(offset));
    if (count <= 0) return;
    to += count;
    offset += static_cast<uint64_t>(count);
    size -= static_cast<size_t>(count);
  }
}

void Hdf5Output::extend(uint64_t size) {
  const char zero = 0;
  if (size > size_) write(size - 1, &zero, 1);
}

namespace {

/// What HDF5 holds for an open file; `base` is its own and comes first.
struct DriverFile {
  H5FD_t base;
  Hdf5Output* output;
  haddr_t end_of_allocation;
};

struct DriverInfo {
  Hdf5Output* output;
};

DriverFile* of(H5FD_t* file) { return reinterpret_cast<DriverFile*>(file); }
const DriverFile* of(const H5FD_t* file) { return reinterpret_cast<const DriverFile*>(file); }

H5FD_t* open_file(const char*, unsigned, hid_t file_access, haddr_t) {
  const auto* info = static_cast<const DriverInfo*>(H5Pget_driver_info(file_access));
  if (info == nullptr) return nullptr;
  auto* file = new DriverFile{};
  file->output = info->output;
  return &file->base;
}

herr_t close_file(H5FD_t* file) {
  delete of(file);
  return 0;
}

herr_t query(const H5FD_t*, unsigned long* flags) {
  if (flags != nullptr) {
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
             H5FD_FEAT_AGGREGATE_SMALLDATA;
  }
  return 0;
}

haddr_t get_end_of_allocation(const H5FD_t* file, H5FD_mem_t) {
  return of(file)->end_of_allocation;
}

herr_t set_end_of_allocation(H5FD_t* file, H5FD_mem_t, haddr_t address) {
  of(file)->end_of_allocation = address;
  return 0;
}

haddr_t get_end_of_file(const H5FD_t* file, H5FD_mem_t) { return of(file)->output->size(); }

herr_t read(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t address, size_t size, void* buffer) {
  of(file)->output->read(address, buffer, size);
  return 0;
}

herr_t write(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t address, size_t size, const void* buffer) {
  of(file)->output->write(address, buffer, size);
  return 0;
}

herr_t truncate(H5FD_t* file, hid_t, hbool_t) {
  of(file)->output->extend(of(file)->end_of_allocation);
  return 0;
}

hid_t register_driver() {
  H5FD_class_t driver{};
#if H5_VERSION_GE(1, 13, 0)
  driver.version = H5FD_CLASS_VERSION;
  driver.value = static_cast<H5FD_class_value_t>(600);  // of the range for other people's drivers
#endif
  driver.name = "kshot";
  driver.maxaddr = (haddr_t{1} << 62) - 1;
  driver.fc_degree = H5F_CLOSE_STRONG;
  driver.fapl_size = sizeof(DriverInfo);
  driver.open = open_file;
  driver.close = close_file;
  driver.query = query;
  driver.get_eoa = get_end_of_allocation;
  driver.set_eoa = set_end_of_allocation;
  driver.get_eof = get_end_of_file;
  driver.read = read;
  driver.write = write;
  driver.truncate = truncate;
  const H5FD_mem_t map[] = H5FD_FLMAP_DICHOTOMY;
  std::memcpy(driver.fl_map, map, sizeof(map));
  return H5FDregister(&driver);
}

}  // namespace

void Hdf5Output::attach(hid_t file_access) {
  static const hid_t driver = register_driver();
  const DriverInfo info{this};
  if (driver < 0 || H5Pset_driver(file_access, driver, &info) < 0) {
    throw Error(Exit::internal, "HDF5 does not take our file driver");
  }
}

}  // namespace kshot
