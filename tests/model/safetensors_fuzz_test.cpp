// Hostile safetensors by the hundred thousand: files that were valid, damaged at random. Each round
// is a function of its number, so that a failure can be run again alone.
#include <cstring>

#include "framework/base/error.h"
#include "framework/base/fields.h"
#include "framework/base/rng.h"
#include "framework/model/safetensors.h"
#include "tests/base/caught.h"
#include "tests/doctest_torch.h"
#include "tests/model/numbers.h"

namespace kshot::safetensors_fuzz_test {

using test::numbers;

constexpr size_t kLengthBytes = 8;

// ---- what the files are made from

/// Sizes and lengths around which readers go wrong.
constexpr uint64_t kEdges[] = {0,
                               1,
                               2,
                               7,
                               8,
                               16,
                               17,
                               255,
                               65536,
                               100U << 20,
                               (100U << 20) + 1,
                               uint64_t{1} << 31,
                               uint64_t{1} << 32,
                               (uint64_t{1} << 48) - 1,
                               uint64_t{1} << 48,
                               (uint64_t{1} << 48) + 1,
                               uint64_t{1} << 60,
                               (uint64_t{1} << 63) - 1,
                               uint64_t{1} << 63,
                               ~uint64_t{0} - 7,
                               ~uint64_t{0}};

const std::vector<std::string> kTokens{"{",
                                       "}",
                                       "[",
                                       "]",
                                       ",",
                                       ":",
                                       "\"",
                                       "\\",
                                       "0",
                                       "9",
                                       "-",
                                       ".",
                                       "e",
                                       "null",
                                       "-1",
                                       "1.5",
                                       "1e400",
                                       "-0",
                                       "{\"a\":",
                                       "[[",
                                       "\"a\":1,",
                                       "\"\\ud800\"",
                                       "\"\\u0000\"",
                                       "\xff",
                                       "\xef\xbb\xbf",
                                       "/**/",
                                       std::string(1, '\0'),
                                       "\n",
                                       "    ",
                                       "\"dtype\":\"U8\",",
                                       "\"shape\":[0],",
                                       "\"data_offsets\":[0,0],",
                                       "\"__metadata__\":{},"};

std::vector<std::string> valid_files() {
  const Tensor bytes = torch::arange(5, torch::kByte), flags = bytes > 2;
  return {to_safetensors({}), to_safetensors({{{"a", torch::ones({2})}}, {}}),
          to_safetensors({{{"w", numbers({3, 2}, 1)}, {"b", bytes}, {"f", flags}}, {{"k", "v"}}}),
          to_safetensors({{{"scalar", torch::tensor(2.5)},
                           {"nothing", torch::empty({0, 3})},
                           {"half", numbers({2, 2}, 2).to(torch::kHalf)},
                           {"long", torch::arange(3)},
                           {"net.block1.conv.weight", numbers({2, 1, 3, 3}, 3).to(torch::kFloat)}},
                          {{"format", "test"}, {"ü", "\n"}}})};
}

template <class List>
const auto& one_of(Stream& random, const List& list) {
  return list[random.below(std::size(list))];
}

uint64_t header_length(const std::string& file) {
  uint64_t length = 0;
  if (file.size() >= kLengthBytes) std::memcpy(&length, file.data(), kLengthBytes);
  return std::min<uint64_t>(length, file.size() - std::min(file.size(), kLengthBytes));
}

std::string framed(const std::string& header, std::string_view data) {
  const uint64_t length = header.size();
  std::string file(reinterpret_cast<const char*>(&length), kLengthBytes);
  file += header;
  return file += data;
}

/// A place in the file, three times of four in its length or header, where the danger is.
size_t place(Stream& random, const std::string& file) {
  const uint64_t within = random.below(4) > 0 ? kLengthBytes + header_length(file) : file.size();
  return random.below(std::min<uint64_t>(within, file.size()) + 1);
}

// ---- damage to bytes

std::string flip_bits(Stream& random, std::string file) {
  for (uint64_t flips = 1 + random.below(4); flips > 0 && !file.empty(); --flips)
    file[place(random, file) % file.size()] ^= static_cast<char>(1U << random.below(8));
  return file;
}

/// A piece gives way to a piece of another file.
std::string splice(Stream& random, std::string file, const std::string& other) {
  const size_t to = place(random, file), from = place(random, other);
  return file.replace(to, random.below(40), other.substr(from, random.below(40)));
}

std::string cut_or_grow(Stream& random, std::string file) {
  const uint64_t by = 1 + random.below(20);
  if (random.below(2) > 0) return file.append(by, static_cast<char>(random.below(256)));
  return file.substr(0, file.size() - std::min<uint64_t>(by, file.size()));
}

std::string other_length(Stream& random, std::string file) {
  const uint64_t length =
      random.below(2) > 0 ? one_of(random, kEdges) : header_length(file) + random.below(9) - 4;
  if (file.size() >= kLengthBytes) std::memcpy(file.data(), &length, kLengthBytes);
  return file;
}

/// A token, or many, in the header, whose length is set right, so that the parser meets it.
std::string insert_tokens(Stream& random, const std::string& file) {
  if (file.size() < kLengthBytes) return file;
  const uint64_t length = header_length(file);
  std::string header = file.substr(kLengthBytes, length), tokens;
  const std::string& token = one_of(random, kTokens);
  for (uint64_t n = random.below(20) > 0 ? 1 : random.below(300); n > 0; --n) tokens += token;
  header.insert(random.below(header.size() + 1), tokens);
  return framed(header, std::string_view(file).substr(kLengthBytes + length));
}

// ---- damage to the header's values

void collect(Json& json, std::vector<Json*>& nodes) {
  nodes.push_back(&json);
  if (!json.is_structured()) return;
  for (Json& item : json) collect(item, nodes);
}

Json odd_value(Stream& random) {
  switch (random.below(10)) {
    case 0:
      return nullptr;
    case 1:
      return -1;
    case 2:
      return 1.5;
    case 3:
      return "";
    case 4:
      return Json::array();
    case 5:
      return Json::object();
    case 6:
      return one_of(random, std::vector<std::string>{"F32", "F64", "BOOL", "U8", "F8_E4M3"});
    case 7:
      return random.below(20);
    default:
      return one_of(random, kEdges);
  }
}

void change_value(Stream& random, Json& header) {
  std::vector<Json*> nodes;
  collect(header, nodes);
  Json& node = *one_of(random, nodes);
  const Json other = *one_of(random, nodes);
  switch (random.below(6)) {
    case 0:
      node = odd_value(random);
      break;
    case 1:
      node = other;
      break;
    case 2:
      if (node.is_structured() && !node.empty())
        node.erase(std::next(node.begin(), static_cast<int64_t>(random.below(node.size()))));
      break;
    case 3:
      if (node.is_array()) node.push_back(other);
      if (node.is_object()) node["tensor" + std::to_string(random.below(3))] = other;
      break;
    case 4:
      for (uint64_t n = 1 + random.below(3); n > 0; --n) node = Json::array({node});
      break;
    default:
      if (node.is_number_unsigned())
        node = node.get<uint64_t>() + random.below(5) - 2;  // wraps around, on purpose
  }
}

std::string change_header(Stream& random, const std::string& file) {
  if (file.size() < kLengthBytes) return file;
  const uint64_t length = header_length(file);
  const std::string_view data = std::string_view(file).substr(kLengthBytes + length);
  Json header = Json::parse(file.substr(kLengthBytes, length), nullptr, false);
  if (header.is_discarded()) return flip_bits(random, file);
  for (uint64_t n = 1 + random.below(3); n > 0; --n) change_value(random, header);
  return framed(header.dump(), data);
}

std::string damaged(Stream& random, const std::string& file, const std::string& other) {
  switch (random.below(8)) {
    case 0:
      return flip_bits(random, file);
    case 1:
      return splice(random, file, other);
    case 2:
      return cut_or_grow(random, file);
    case 3:
      return other_length(random, file);
    case 4:
      return insert_tokens(random, file);
    default:
      return change_header(random, file);
  }
}

// ---- what must hold

bool same_tensors(const TensorFile& a, const TensorFile& b) {
  if (a.metadata != b.metadata || a.tensors.size() != b.tensors.size()) return false;
  std::map<std::string, Tensor> of_b;
  for (const NamedTensor& tensor : b.tensors) of_b[tensor.name] = tensor.value;
  return std::all_of(a.tensors.begin(), a.tensors.end(), [&](const NamedTensor& tensor) {
    const auto found = of_b.find(tensor.name);
    if (found == of_b.end()) return false;
    const Tensor &x = tensor.value, &y = found->second;
    return x.scalar_type() == y.scalar_type() && x.sizes() == y.sizes() &&
           (x.nbytes() == 0 || std::memcmp(x.data_ptr(), y.data_ptr(), x.nbytes()) == 0);
  });
}

/// Either an Error(bad_data) in one short line, or tensors that are the file's whole data and come
/// through writing and reading again. Whether it was read.
bool check_read(const std::string& bytes) {
  TensorFile file;
  const auto error = test::caught([&] { file = from_safetensors(bytes, "FILE"); });
  if (error) {
    const std::string message = error->what();
    CHECK(error->code() == Exit::bad_data);
    CHECK(message.starts_with("FILE: not a valid safetensors file: "));
    CHECK(message.find('\n') == std::string::npos);
    CHECK(message.size() < 500);
    return false;
  }
  size_t data = 0;
  for (const NamedTensor& tensor : file.tensors) data += tensor.value.nbytes();
  CHECK(data == bytes.size() - kLengthBytes - header_length(bytes));
  CHECK(same_tensors(file, from_safetensors(to_safetensors(file), "AGAIN")));
  return true;
}

/// Damages valid files, and those that came through their damage, `rounds` times.
void fuzz(uint64_t rounds) {
  std::vector<std::string> files = valid_files();
  const size_t valid = files.size();
  uint64_t read = 0;
  for (uint64_t round = 0; round < rounds; ++round) {
    CAPTURE(round);
    Stream random(29, Purpose::algorithm, round);
    std::string file = one_of(random, files);
    for (uint64_t n = 1 + random.below(3); n > 0; --n)
      file = damaged(random, file, one_of(random, files));
    if (!check_read(file)) continue;
    ++read;
    // Small ones alone: they say as much, and sooner.
    if (file.size() < 4000) files.resize(valid + std::min<size_t>(files.size() - valid, 60));
    if (file.size() < 4000) files.insert(files.begin() + static_cast<int64_t>(valid), file);
  }
  MESSAGE(read << " of " << rounds << " files were read, the others refused");
  // Damage that always, or never, is refused would find nothing.
  CHECK(read > rounds / 50);
  CHECK(read < rounds / 2);
}

TEST_CASE("damaged files are read whole or refused: 150 thousand") { fuzz(150000); }

TEST_CASE("damaged files are read whole or refused: a minute of them" *
          doctest::test_suite("slow")) {
  fuzz(5000000);
}

}  // namespace kshot::safetensors_fuzz_test
