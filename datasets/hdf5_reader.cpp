#include "datasets/hdf5_reader.h"

#include "datasets/hdf5_handle.h"
#include "datasets/hdf5_types.h"
#include "framework/base/error.h"

namespace kshot {

struct Hdf5Reader::State {
  Hdf5Session session;
  std::string path;
  Hdf5Handle file;

  [[noreturn]] void fail(const std::string& name, const char* what) const {
    throw Error(Exit::bad_data, "{}: data set {} {}", path, name, what);
  }

  /// A plain data set: contiguous, in this very file, without filters.
  Hdf5Handle open(const std::string& name) const {
    Hdf5Handle dataset(H5Dopen2(file.id(), name.c_str(), H5P_DEFAULT), H5Dclose);
    if (!dataset.ok()) fail(name, "is missing");
    const Hdf5Handle create(H5Dget_create_plist(dataset.id()), H5Pclose);
    if (!create.ok() || H5Pget_layout(create.id()) != H5D_CONTIGUOUS ||
        H5Pget_external_count(create.id()) != 0) {
      fail(name, "is not stored contiguously in the file");
    }
    return dataset;
  }

  torch::Dtype dtype_of(const std::string& name, const Hdf5Handle& dataset) const {
    const Hdf5Handle type(H5Dget_type(dataset.id()), H5Tclose);
    for (const torch::Dtype dtype : {torch::kByte, torch::kLong, torch::kFloat, torch::kDouble}) {
      if (type.ok() && H5Tequal(type.id(), hdf5_type(dtype)) > 0) return dtype;
    }
    fail(name, "has an unexpected type");
  }

  std::vector<int64_t> shape_of(const std::string& name, const Hdf5Handle& dataset) const {
    const Hdf5Handle space(H5Dget_space(dataset.id()), H5Sclose);
    const int rank = space.ok() ? H5Sget_simple_extent_ndims(space.id()) : -1;
    if (rank < 0) fail(name, "has no shape");
    std::vector<hsize_t> extents(static_cast<size_t>(rank));
    H5Sget_simple_extent_dims(space.id(), extents.data(), nullptr);
    uint64_t values = 1;
    for (const hsize_t extent : extents) {
      if (extent != 0 && values > (uint64_t{1} << 48) / extent) fail(name, "is too large");
      values *= extent;
    }
    return {extents.begin(), extents.end()};
  }
};

Hdf5Reader::Hdf5Reader(const std::filesystem::path& path) : state_(std::make_unique<State>()) {
  state_->path = path.string();
  const Hdf5Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
#if H5_VERSION_GE(1, 10, 7)
  H5Pset_file_locking(access.id(), false, true);  // some network file systems have no locks
#endif
  state_->file = Hdf5Handle(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.id()), H5Fclose);
  if (!state_->file.ok()) throw Error(Exit::bad_data, "{}: not a sound HDF5 file", path.string());
}

Hdf5Reader::~Hdf5Reader() = default;

bool Hdf5Reader::has(const std::string& name) const {
  return H5Lexists(state_->file.id(), name.c_str(), H5P_DEFAULT) > 0;
}

Hdf5Reader::Extent Hdf5Reader::extent(const std::string& name) const {
  const Hdf5Handle dataset = state_->open(name);
  const haddr_t offset = H5Dget_offset(dataset.id());
  if (offset == HADDR_UNDEF) state_->fail(name, "is empty");
  return {.offset = offset,
          .shape = state_->shape_of(name, dataset),
          .dtype = state_->dtype_of(name, dataset)};
}

Tensor Hdf5Reader::read(const std::string& name) const {
  const Hdf5Handle dataset = state_->open(name);
  const torch::Dtype dtype = state_->dtype_of(name, dataset);
  const std::vector<int64_t> shape = state_->shape_of(name, dataset);
  if (static_cast<uint64_t>(c10::multiply_integers(shape)) >
      std::filesystem::file_size(state_->path)) {
    state_->fail(name, "is larger than the file");
  }
  Tensor values = torch::empty(shape, dtype);
  if (H5Dread(dataset.id(), hdf5_type(dtype), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data_ptr()) <
      0) {
    state_->fail(name, "cannot be read");
  }
  return values;
}

std::string Hdf5Reader::read_text(const std::string& name) const {
  const Tensor bytes = read(name);
  if (bytes.scalar_type() != torch::kByte || bytes.dim() != 1) state_->fail(name, "is not text");
  return {static_cast<const char*>(bytes.const_data_ptr()), bytes.nbytes()};
}

}  // namespace kshot
