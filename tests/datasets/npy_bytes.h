#pragma once
// .npy files made by hand, so that they may lie.

#include <string>

#include "framework/model/params.h"

namespace kshot::test {

/// A .npy file of that header (its dict) and these bytes, as NumPy writes it: version 1, padded
/// with spaces to 64 bytes.
inline std::string npy_bytes(std::string header, const std::string& values, char version = 1) {
  const size_t front = version == 1 ? 10 : 12;
  while ((front + header.size() + 1) % 64 != 0) header += ' ';
  header += '\n';
  std::string file = "\x93NUMPY";
  file += version;
  file += '\0';
  for (size_t i = 0; i < front - 8; ++i) file += static_cast<char>(header.size() >> (8 * i));
  return file + header + values;
}

/// What numpy.save writes for a tensor of this type: "<f4", "|u1", "<i8", ...
inline std::string npy_bytes(const Tensor& values, const std::string& type) {
  const Tensor whole = values.contiguous();
  std::string shape;
  for (const int64_t extent : whole.sizes()) shape += std::to_string(extent) + ", ";
  if (whole.dim() > 1) shape.resize(shape.size() - 2);
  if (whole.dim() == 1) shape.pop_back();
  return npy_bytes("{'descr': '" + type + "', 'fortran_order': False, 'shape': (" + shape + "), }",
                   {static_cast<const char*>(whole.const_data_ptr()), whole.nbytes()});
}

}  // namespace kshot::test
