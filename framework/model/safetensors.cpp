#include "framework/model/safetensors.h"

#include <algorithm>
#include <cstring>
#include <tuple>

#include "framework/base/error.h"
#include "framework/base/fields.h"
#include "framework/base/strict_json.h"

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

std::string known_dtypes() {
  std::vector<std::string> names;
  for (const auto& entry : kDtypes) names.emplace_back(entry.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

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
  bad(where, fmt::format("tensor {} has dtype {}, expected {}", shown(name),
                         found == entry.end() ? "none" : shown(*found), known_dtypes()));
}

std::vector<uint64_t> numbers(const Json& entry, const char* key, const std::string& where,
                              const std::string& name) {
  const auto found = entry.find(key);
  if (found == entry.end() || !found->is_array() || found->size() > 16) {
    bad(where, fmt::format("tensor {} has no usable \"{}\"", shown(name), key));
  }
  std::vector<uint64_t> values;
  for (const Json& item : *found) {
    if (!item.is_number_unsigned() || item.get<uint64_t>() > (uint64_t{1} << 48)) {
      bad(where, fmt::format("tensor {}: \"{}\" holds {}", shown(name), key, shown(item)));
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
      bad(where, fmt::format("the shape of tensor {} overflows", shown(name)));
    }
    empty = empty || size == 0;
  }
  return empty ? 0 : static_cast<uint64_t>(bytes);
}

/// Tensors lie in an object in the header, their shapes in an array in that.
Json parse_header(std::string_view text, const std::string& where) {
  constexpr int kDepth = 3;
  if (!text.starts_with('{')) bad(where, "its header does not begin with {");
  StrictJson header = parse_strict(text, kDepth);
  if (!header.problem.empty()) bad(where, "its header: " + header.problem);
  return std::move(header.value);
}

/// What the header says of a tensor; offsets count from the end of the header.
struct Entry {
  std::string name;
  torch::Dtype dtype;
  std::vector<uint64_t> shape;
  uint64_t begin, end;
};

Entry read_entry(const std::string& name, const Json& json, uint64_t data_size,
                 const std::string& where) {
  if (!json.is_object())
    bad(where, fmt::format("the entry of tensor {} is not an object", shown(name)));
  const torch::Dtype dtype = dtype_of(json, where, name);
  const auto shape = numbers(json, "shape", where, name);
  const auto offsets = numbers(json, "data_offsets", where, name);
  const bool inside = offsets.size() == 2 && offsets[0] <= offsets[1] && offsets[1] <= data_size;
  if (!inside) bad(where, fmt::format("tensor {} lies outside of the file", shown(name)));
  if (offsets[1] - offsets[0] != bytes_of(shape, dtype, where, name)) {
    bad(where, fmt::format("the shape of tensor {} does not fit its bytes", shown(name)));
  }
  return {name, dtype, shape, offsets[0], offsets[1]};
}

/// Sorts by place; the entries must cover the data without gap or overlap.
void check_cover(std::vector<Entry>& entries, uint64_t data_size, const std::string& where) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  uint64_t covered = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != covered)
      bad(where, fmt::format("a gap or an overlap before tensor {}", shown(entry.name)));
    covered = entry.end;
  }
  if (covered != data_size) bad(where, "bytes are left over after the last tensor");
}

NamedTensor read_tensor(const Entry& entry, std::string_view data, const std::string& where) {
  const std::string_view bytes = data.substr(entry.begin, entry.end - entry.begin);
  // To C++ a bool of any other byte is undefined behaviour.
  const auto is_bool = [](char byte) { return byte == 0 || byte == 1; };
  if (entry.dtype == torch::kBool && !std::all_of(bytes.begin(), bytes.end(), is_bool))
    bad(where, fmt::format("tensor {} is BOOL, but has bytes above 1", shown(entry.name)));
  Tensor value =
      torch::empty(std::vector<int64_t>(entry.shape.begin(), entry.shape.end()), entry.dtype);
  if (!bytes.empty()) std::memcpy(value.data_ptr(), bytes.data(), bytes.size());
  return {entry.name, value};
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
  std::vector<Entry> entries;
  for (const auto& [name, entry] : header.items()) {
    if (name != "__metadata__") {
      entries.push_back(read_entry(name, entry, data.size(), where));
      continue;
    }
    if (!entry.is_object()) bad(where, "its metadata is not an object");
    for (const auto& [key, value] : entry.items()) {
      if (!value.is_string()) bad(where, fmt::format("metadata {} is not text", shown(key)));
      file.metadata[key] = value.get<std::string>();
    }
  }
  check_cover(entries, data.size(), where);
  // Only now that no byte is claimed twice, tensors take as much memory as the file at most.
  for (const Entry& entry : entries) file.tensors.push_back(read_tensor(entry, data, where));
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
    problems.push_back(fmt::format("{} is not expected", shown(name)));
  if (!problems.empty()) {
    throw Error(Exit::bad_data, "{}: its tensors do not fit: {}", where, fmt::join(problems, "; "));
  }
  return like.with_values(values);
}

}  // namespace kshot
