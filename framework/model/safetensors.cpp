#include "framework/model/safetensors.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "framework/base/error.h"
#include "framework/base/fields.h"

namespace kshot {
namespace {

struct DtypeName {
  torch::Dtype dtype;
  const char* name;
};
constexpr DtypeName kDtypes[] = {{torch::kFloat, "F32"}, {torch::kDouble, "F64"},
                                 {torch::kHalf, "F16"},  {torch::kBFloat16, "BF16"},
                                 {torch::kLong, "I64"},  {torch::kInt, "I32"},
                                 {torch::kByte, "U8"},   {torch::kBool, "BOOL"}};
constexpr uint64_t kMaxHeader = 100u << 20;  // the format's own limit

std::string dtype_name(torch::Dtype dtype) {
  for (const auto& entry : kDtypes) {
    if (entry.dtype == dtype) return entry.name;
  }
  throw Error(Exit::internal, "safetensors cannot hold tensors of type {}", torch::toString(dtype));
}

/// A name from a file, for a message of one line.
std::string in_quotes(const std::string& name) { return Json(name).dump(); }

[[noreturn]] void bad(const std::string& where, const std::string& what) {
  throw Error(Exit::bad_data, "{}: not a valid safetensors file: {}", where, what);
}

torch::Dtype dtype_of(const Json& entry, const std::string& where, const std::string& name) {
  const auto found = entry.find("dtype");
  if (found != entry.end() && found->is_string()) {
    for (const auto& known : kDtypes) {
      if (*found == known.name) return known.dtype;
    }
  }
  bad(where, fmt::format("tensor {} has no known dtype", in_quotes(name)));
}

std::vector<uint64_t> numbers(const Json& entry, const char* key, const std::string& where,
                              const std::string& name) {
  const auto found = entry.find(key);
  if (found == entry.end() || !found->is_array() || found->size() > 16) {
    bad(where, fmt::format("tensor {} has no usable \"{}\"", in_quotes(name), key));
  }
  std::vector<uint64_t> values;
  for (const Json& item : *found) {
    if (!item.is_number_unsigned() || item.get<uint64_t>() > (uint64_t{1} << 48)) {
      bad(where, fmt::format("tensor {}: \"{}\" holds {}", in_quotes(name), key, item.dump()));
    }
    values.push_back(item.get<uint64_t>());
  }
  return values;
}

uint64_t bytes_of(const std::vector<uint64_t>& shape, torch::Dtype dtype, const std::string& where,
                  const std::string& name) {
  auto bytes = static_cast<int64_t>(torch::elementSize(dtype));
  bool empty = false;
  for (const uint64_t size : shape) {
    // A size of 0 does not excuse the others: LibTorch multiplies them for its strides.
    if (__builtin_mul_overflow(bytes, std::max<uint64_t>(1, size), &bytes)) {
      bad(where, fmt::format("the shape of tensor {} overflows", in_quotes(name)));
    }
    empty = empty || size == 0;
  }
  return empty ? 0 : static_cast<uint64_t>(bytes);
}

/// The header, depth-limited: a hostile one may nest brackets until the stack ends.
Json parse_header(std::string_view text, const std::string& where) {
  constexpr int kMaxDepth = 8;
  const auto keep = [&](int depth, Json::parse_event_t, Json&) {
    if (depth > kMaxDepth) bad(where, "its header is nested too deeply");
    return true;
  };
  Json header = Json::parse(text, keep, /*allow_exceptions=*/false);
  if (header.is_discarded() || !header.is_object()) bad(where, "its header is not a JSON object");
  return header;
}

struct Extent {
  uint64_t begin, end;
  NamedTensor tensor;
};

Extent read_tensor(const std::string& name, const Json& entry, std::string_view data,
                   const std::string& where) {
  if (!entry.is_object())
    bad(where, fmt::format("the entry of tensor {} is not an object", in_quotes(name)));
  const torch::Dtype dtype = dtype_of(entry, where, name);
  const auto shape = numbers(entry, "shape", where, name);
  const auto offsets = numbers(entry, "data_offsets", where, name);
  const bool inside = offsets.size() == 2 && offsets[0] <= offsets[1] && offsets[1] <= data.size();
  if (!inside) bad(where, fmt::format("tensor {} lies outside of the file", in_quotes(name)));
  if (offsets[1] - offsets[0] != bytes_of(shape, dtype, where, name)) {
    bad(where, fmt::format("the shape of tensor {} does not fit its bytes", in_quotes(name)));
  }
  Tensor value = torch::empty(std::vector<int64_t>(shape.begin(), shape.end()), dtype);
  if (offsets[1] > offsets[0]) {
    std::memcpy(value.data_ptr(), data.data() + offsets[0], offsets[1] - offsets[0]);
  }
  return {offsets[0], offsets[1], {name, value}};
}

std::string shape_text(const Tensor& tensor) {
  return fmt::format("[{}]", fmt::join(tensor.sizes(), ","));
}

}  // namespace

std::string to_safetensors(const TensorFile& file) {
  Json header = Json::object();
  if (!file.metadata.empty()) header["__metadata__"] = file.metadata;
  std::string data;
  for (const NamedTensor& tensor : file.tensors) {
    const Tensor value = tensor.value.detach().to(torch::kCPU).contiguous();
    const size_t begin = data.size();
    data.append(static_cast<const char*>(value.data_ptr()), value.nbytes());
    header[tensor.name] = {{"dtype", dtype_name(value.scalar_type())},
                           {"shape", value.sizes().vec()},
                           {"data_offsets", {begin, data.size()}}};
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t length = text.size();
  std::string bytes(reinterpret_cast<const char*>(&length), sizeof length);
  return bytes + text + data;
}

TensorFile from_safetensors(std::string_view bytes, const std::string& where) {
  uint64_t length = 0;
  if (bytes.size() < sizeof length) bad(where, "it has fewer than 8 bytes");
  std::memcpy(&length, bytes.data(), sizeof length);
  if (length > kMaxHeader || length > bytes.size() - sizeof length) {
    bad(where, fmt::format("its header claims {} bytes of a file of {}", length, bytes.size()));
  }
  const Json header = parse_header(bytes.substr(sizeof length, length), where);
  const std::string_view data = bytes.substr(sizeof length + length);
  TensorFile file;
  std::vector<Extent> extents;
  for (const auto& [name, entry] : header.items()) {
    if (name != "__metadata__") {
      extents.push_back(read_tensor(name, entry, data, where));
      continue;
    }
    if (!entry.is_object()) bad(where, "its metadata is not an object");
    for (const auto& [key, value] : entry.items()) {
      if (!value.is_string()) bad(where, fmt::format("metadata {} is not text", in_quotes(key)));
      file.metadata[key] = value.get<std::string>();
    }
  }
  std::sort(extents.begin(), extents.end(), [](const Extent& a, const Extent& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  uint64_t covered = 0;
  for (Extent& extent : extents) {
    if (extent.begin != covered) {
      bad(where,
          fmt::format("a gap or an overlap before tensor {}", in_quotes(extent.tensor.name)));
    }
    covered = extent.end;
    file.tensors.push_back(std::move(extent.tensor));
  }
  if (covered != data.size()) bad(where, "bytes are left over after the last tensor");
  return file;
}

std::vector<NamedTensor> to_tensors(const ParamList& params, const std::string& prefix) {
  std::vector<NamedTensor> tensors;
  for (const Param& param : params) tensors.push_back({prefix + param.name, param.value});
  return tensors;
}

ParamList from_tensors(const ParamList& like, const TensorFile& file, const std::string& prefix,
                       const std::string& where) {
  std::map<std::string, Tensor> found;
  for (const NamedTensor& tensor : file.tensors) {
    if (tensor.name.starts_with(prefix)) found[tensor.name.substr(prefix.size())] = tensor.value;
  }
  std::vector<std::string> problems;
  std::vector<Tensor> values;
  for (const Param& param : like) {
    const auto entry = found.find(param.name);
    if (entry == found.end()) {
      problems.push_back(fmt::format("\"{}\" is missing", param.name));
      continue;
    }
    if (entry->second.sizes() != param.value.sizes()) {
      problems.push_back(fmt::format("\"{}\" has shape {}, expected {}", param.name,
                                     shape_text(entry->second), shape_text(param.value)));
    }
    values.push_back(entry->second.to(param.value.scalar_type()));
    found.erase(entry);
  }
  for (const auto& [name, value] : found)
    problems.push_back(fmt::format("{} is not expected", in_quotes(name)));
  if (!problems.empty()) {
    throw Error(Exit::bad_data, "{}: its tensors do not fit: {}", where, fmt::join(problems, "; "));
  }
  return like.with_values(values);
}

}  // namespace kshot
