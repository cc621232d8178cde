#pragma once

#include <hdf5.h>

#include "framework/base/error.h"
#include "framework/model/params.h"

namespace kshot {

/// The one way each dtype is stored. HDF5's constants are variables that need the library started,
/// hence a function.
inline hid_t hdf5_type(torch::Dtype dtype) {
  switch (dtype) {
    case torch::kByte:
      return H5T_STD_U8LE;
    case torch::kLong:
      return H5T_STD_I64LE;
    case torch::kFloat:
      return H5T_IEEE_F32LE;
    case torch::kDouble:
      return H5T_IEEE_F64LE;
    default:
      throw Error(Exit::internal, "{} is not stored in HDF5 files", c10::toString(dtype));
  }
}

}  // namespace kshot
