// Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html

#include "datasets/npy_file.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <set>

#include "datasets/mapped_file.h"
#include "datasets/outside_text.h"
#include "framework/base/error.h"

namespace kshot {
namespace {

constexpr std::string_view kNpyMagic = "\x93NUMPY";
constexpr uint64_t kMaxHeader = 10'000;  // NumPy's own bound
const std::array<std::pair<const char*, torch::Dtype>, 5> kNpyDtypes = {{{"<f4", torch::kFloat},
                                                                         {"<f8", torch::kDouble},
                                                                         {"|u1", torch::kByte},
                                                                         {"<i4", torch::kInt},
                                                                         {"<i8", torch::kLong}}};

struct Header {
  std::string dtype;
  bool fortran_order = false;
  std::vector<int64_t> shape;
};

/// Reads the header's text, a Python dict of three members in any order:
///   {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& where)
      : whole_(text), rest_(text), where_(where) {}

  Header parse() {
    Header header;
    std::set<std::string> seen;
    expect('{');
    while (!take('}')) {
      const std::string key = text();
      if (!seen.insert(key).second) fail();
      expect(':');
      if (key == "descr") {
        header.dtype = text();
      } else if (key == "fortran_order") {
        header.fortran_order = boolean();
      } else if (key == "shape") {
        header.shape = extents();
      } else {
        fail();
      }
      if (!take(',') && !next_is('}')) fail();
    }
    skip_spaces();
    if (seen.size() != 3 || !rest_.empty()) fail();
    return header;
  }

 private:
  [[noreturn]] void fail() const {
    throw Error(Exit::bad_data,
                "{}: the header is {}, expected a type without fields: {{'descr': '<f4', "
                "'fortran_order': False, 'shape': (3, 4)}}",
                where_, in_quotes(whole_));
  }

  void skip_spaces() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(" \n"), rest_.size()));
  }

  bool next_is(char expected) {
    skip_spaces();
    return rest_.starts_with(expected);
  }

  bool take(char expected) {
    if (!next_is(expected)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  void expect(char expected) {
    if (!take(expected)) fail();
  }

  std::string text() {
    const char quote = next_is('"') ? '"' : '\'';
    expect(quote);
    const size_t end = rest_.find(quote);
    if (end == std::string_view::npos) fail();
    const std::string result(rest_.substr(0, end));
    rest_.remove_prefix(end + 1);
    return result;
  }

  bool boolean() {
    skip_spaces();
    for (const std::string_view word : {"True", "False"}) {
      if (!rest_.starts_with(word)) continue;
      rest_.remove_prefix(word.size());
      return word == "True";
    }
    fail();
  }

  std::vector<int64_t> extents() {
    std::vector<int64_t> shape;
    expect('(');
    while (!take(')')) {
      skip_spaces();
      int64_t extent = 0;
      const auto [end, problem] =
          std::from_chars(rest_.data(), rest_.data() + rest_.size(), extent);
      if (problem != std::errc() || extent < 0) fail();
      rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
      shape.push_back(extent);
      if (!take(',') && !next_is(')')) fail();
    }
    return shape;
  }

  std::string_view whole_, rest_;
  const std::string& where_;
};

uint64_t little_endian(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

/// Cuts the header's text off the file's front.
std::string_view take_header(std::string_view& file, const std::string& where) {
  if (!file.starts_with(kNpyMagic)) {
    throw Error(Exit::bad_data, "{}: no .npy file: it begins with {}, expected \\x93NUMPY", where,
                in_quotes(file.substr(0, kNpyMagic.size())));
  }
  file.remove_prefix(kNpyMagic.size());
  const int version = file.empty() ? 0 : static_cast<unsigned char>(file[0]);
  const size_t length_bytes = version == 1 ? 2 : 4;
  if (!file.empty() && (version < 1 || version > 3)) {
    throw Error(Exit::bad_data, "{}: .npy format version {}, expected 1 to 3", where, version);
  }
  const uint64_t length =
      file.size() < 2 + length_bytes ? 0 : little_endian(file.substr(2, length_bytes));
  if (length == 0 || length > kMaxHeader || length > file.size() - 2 - length_bytes) {
    throw Error(Exit::bad_data,
                "{}: truncated, or a lying header: its length is {}, expected 1 to {} and within "
                "the file",
                where, length, kMaxHeader);
  }
  const std::string_view header = file.substr(2 + length_bytes, length);
  file.remove_prefix(2 + length_bytes + length);
  return header;
}

torch::Dtype dtype_of(const Header& header, const std::string& where) {
  for (const auto& [name, dtype] : kNpyDtypes) {
    if (header.dtype == name) return dtype;
  }
  throw Error(Exit::bad_data,
              "{}: values of type {}, expected <f4, <f8, |u1, <i4 or <i8 (little-endian)", where,
              in_quotes(header.dtype));
}

/// Bytes of so many values; nothing where 63 bits do not hold them.
std::optional<uint64_t> bytes_of(const std::vector<int64_t>& shape, torch::Dtype dtype) {
  uint64_t bytes = c10::elementSize(dtype);
  for (const int64_t extent : shape) {
    if (extent > 0 && bytes > (uint64_t{1} << 62) / static_cast<uint64_t>(extent))
      return std::nullopt;
    bytes *= static_cast<uint64_t>(extent);
  }
  return bytes;
}

uint64_t size_of(const std::filesystem::path& path) {
  std::error_code problem;
  const uint64_t size = std::filesystem::file_size(path, problem);
  if (problem) throw Error(Exit::io, "{}: cannot be read: {}", path.string(), problem.message());
  if (size == 0) throw Error(Exit::bad_data, "{}: empty, expected a .npy file", path.string());
  return size;
}

}  // namespace

Tensor read_npy(const std::filesystem::path& path) {
  const std::string where = path.string();
  const auto size = static_cast<int64_t>(size_of(path));
  const Tensor bytes = MappedFile(path).tensor(0, {size}, torch::kByte);
  std::string_view rest(static_cast<const char*>(bytes.const_data_ptr()),
                        static_cast<size_t>(size));
  const Header header = HeaderParser(take_header(rest, where), where).parse();
  const torch::Dtype dtype = dtype_of(header, where);
  if (header.fortran_order) {
    throw Error(Exit::bad_data,
                "{}: fortran_order is True, expected C order: numpy.ascontiguousarray gives it",
                where);
  }
  const std::optional<uint64_t> needed = bytes_of(header.shape, dtype);
  if (needed != rest.size()) {
    throw Error(Exit::bad_data, "{}: the header says [{}] of {}: expected {} behind it, found {}",
                where, fmt::join(header.shape, ","), header.dtype,
                needed ? fmt::format("{} bytes", *needed) : "more than any disk holds",
                rest.size());
  }
  // A copy: nothing says that the values stand where their type may be read.
  Tensor values = torch::empty(header.shape, dtype);
  if (!rest.empty()) std::memcpy(values.data_ptr(), rest.data(), rest.size());
  return values;
}

}  // namespace kshot
