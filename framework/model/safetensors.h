#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "framework/model/params.h"

namespace kshot {

struct NamedTensor {
  std::string name;
  Tensor value;
};

struct TensorFile {
  std::vector<NamedTensor> tensors;
  std::map<std::string, std::string> metadata;
};

/// The bytes of a safetensors file (8-byte header length, JSON header, raw little-endian data), in
/// memory so that they can be hashed before they are written.
std::string to_safetensors(const TensorFile& file);

/// Reads such bytes. Strict: every length, offset, shape and dtype is checked, the data must be
/// covered without gap or overlap. `where` names the file in messages. Throws Error(bad_data).
TensorFile from_safetensors(std::string_view bytes, const std::string& where);

/// A ParamList's tensors by name, and back into one of the same names and shapes.
/// from_tensors throws Error(bad_data) that names each missing, extra or misshapen tensor.
std::vector<NamedTensor> to_tensors(const ParamList& params, const std::string& prefix);
ParamList from_tensors(const ParamList& like, const TensorFile& file, const std::string& prefix,
                       const std::string& where);

}  // namespace kshot
