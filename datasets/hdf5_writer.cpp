#include "datasets/hdf5_writer.h"

#include "datasets/hdf5_driver.h"
#include "datasets/hdf5_handle.h"
#include "datasets/hdf5_types.h"
#include "framework/base/error.h"

namespace kshot {
namespace {

Hdf5Handle checked(hid_t id, herr_t (*close)(hid_t), const char* what) {
  if (id < 0) throw Error(Exit::internal, "HDF5 cannot make {}", what);
  return {id, close};
}

/// For groups and data sets: HDF5 would store when they were made.
Hdf5Handle timeless(hid_t property_class) {
  Hdf5Handle list = checked(H5Pcreate(property_class), H5Pclose, "a property list");
  H5Pset_obj_track_times(list.id(), false);
  return list;
}

}  // namespace

struct Hdf5Writer::State {
  explicit State(AtomicFile& target) : output(target) {}
  Hdf5Session session;
  Hdf5Output output;
  Hdf5Handle file;
};

Hdf5Writer::Hdf5Writer(AtomicFile& file, uint64_t user_block)
    : state_(std::make_unique<State>(file)) {
  const Hdf5Handle create = timeless(H5P_FILE_CREATE);
  H5Pset_userblock(create.id(), user_block);
  const Hdf5Handle access = checked(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "a property list");
  H5Pset_libver_bounds(access.id(), H5F_LIBVER_V18, H5F_LIBVER_V18);
  state_->output.attach(access.id());
  state_->file =
      checked(H5Fcreate("kshot", H5F_ACC_TRUNC, create.id(), access.id()), H5Fclose, "a file");
}

Hdf5Writer::~Hdf5Writer() = default;

void Hdf5Writer::make_group(const std::string& name) {
  const Hdf5Handle create = timeless(H5P_GROUP_CREATE);
  checked(H5Gcreate2(state_->file.id(), name.c_str(), H5P_DEFAULT, create.id(), H5P_DEFAULT),
          H5Gclose, name.c_str());
}

void Hdf5Writer::write(const std::string& name, const Tensor& values) {
  const Tensor data = values.contiguous();
  const hid_t type = hdf5_type(data.scalar_type());
  const std::vector<hsize_t> extents(data.sizes().begin(), data.sizes().end());
  const Hdf5Handle space =
      checked(H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr), H5Sclose,
              "a shape");
  const Hdf5Handle create = timeless(H5P_DATASET_CREATE);
  H5Pset_alloc_time(create.id(), H5D_ALLOC_TIME_EARLY);
  H5Pset_fill_time(create.id(), H5D_FILL_TIME_NEVER);
  const Hdf5Handle dataset = checked(H5Dcreate2(state_->file.id(), name.c_str(), type, space.id(),
                                                H5P_DEFAULT, create.id(), H5P_DEFAULT),
                                     H5Dclose, name.c_str());
  const herr_t written =
      H5Dwrite(dataset.id(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data.const_data_ptr());
  state_->output.throw_if_failed();
  if (written < 0) throw Error(Exit::internal, "HDF5 cannot write {}", name);
}

void Hdf5Writer::write_text(const std::string& name, std::string_view text) {
  // from_blob takes no const pointer; write() only reads.
  write(name, torch::from_blob(const_cast<char*>(text.data()), {static_cast<int64_t>(text.size())},
                               torch::kByte));
}

void Hdf5Writer::finish() {
  const bool closed = state_->file.close();
  state_->output.throw_if_failed();
  if (!closed) throw Error(Exit::internal, "HDF5 cannot end a file");
}

}  // namespace kshot
