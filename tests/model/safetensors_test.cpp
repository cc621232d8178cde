#include "framework/model/safetensors.h"

#include <sys/resource.h>

#include <cmath>
#include <cstring>

#include "framework/base/error.h"
#include "tests/base/caught.h"
#include "tests/doctest_torch.h"
#include "tests/model/numbers.h"

namespace kshot::safetensors_test {

using test::caught;
using test::message_of;
using test::numbers;

/// A file of a header and data of our own making.
std::string file_of(const std::string& header, const std::string& data = {}) {
  const uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + header + data;
}

/// The only ways in which a hostile file may end: an Error(bad_data) in one line.
void check_refused(const std::string& bytes) {
  const auto error = caught([&] { from_safetensors(bytes, "FILE"); });
  REQUIRE(error);
  CHECK(error->code() == Exit::bad_data);
  const std::string message = error->what();
  CHECK(message.starts_with("FILE: "));
  CHECK(message.find('\n') == std::string::npos);
}

int64_t peak_memory_kilobytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

const std::string kTwo =
    R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[3],"data_offsets":[8,11]}})";

TEST_CASE("tensors of every type and shape, and metadata, come back as they were") {
  TensorFile file;
  const std::map<std::string, torch::Dtype> types{
      {"float", torch::kFloat},       {"double", torch::kDouble}, {"half", torch::kHalf},
      {"bfloat16", torch::kBFloat16}, {"long", torch::kLong},     {"int", torch::kInt},
      {"byte", torch::kByte},         {"bool", torch::kBool}};
  for (const auto& [name, dtype] : types)
    file.tensors.push_back({name, (numbers({3, 5}, 1) * 100).abs().to(dtype)});
  file.tensors.push_back({"scalar", torch::tensor(2.5, torch::kDouble)});
  file.tensors.push_back({"nothing", torch::empty({0, 3})});
  file.tensors.push_back({"turned", numbers({4, 3}, 2).t()});
  file.tensors.push_back(
      {"not numbers",
       torch::tensor({std::nan(""), std::numeric_limits<double>::infinity(), -0.0, 5e-324},
                     torch::kDouble)});
  file.metadata = {{"format", "test"}, {"text", "with \"quotes\", \n and ü"}};
  const std::string bytes = to_safetensors(file);
  const TensorFile read = from_safetensors(bytes, "memory");
  CHECK(read.metadata == file.metadata);
  REQUIRE(read.tensors.size() == file.tensors.size());
  for (const NamedTensor& tensor : file.tensors) {
    CAPTURE(tensor.name);
    const auto found = std::find_if(read.tensors.begin(), read.tensors.end(),
                                    [&](const auto& t) { return t.name == tensor.name; });
    REQUIRE(found != read.tensors.end());
    CHECK(found->value.scalar_type() == tensor.value.scalar_type());
    CHECK(found->value.sizes() == tensor.value.sizes());
    const Tensor packed = tensor.value.contiguous();
    CHECK((packed.nbytes() == 0 ||
           std::memcmp(found->value.data_ptr(), packed.data_ptr(), packed.nbytes()) == 0));
  }
  CHECK(to_safetensors(read).size() == bytes.size());
}

TEST_CASE("the bytes are the published format's: length, JSON, little-endian data") {
  const std::string bytes = to_safetensors({{{"a", torch::tensor({1.0F, 2.0F})}}, {}});
  const std::string header = R"({"a":{"data_offsets":[0,8],"dtype":"F32","shape":[2]}})";
  const std::string padded = header + std::string((8 - header.size() % 8) % 8, ' ');
  CHECK(bytes == file_of(padded, std::string("\0\0\x80\x3f\0\0\0\x40", 8)));
}

TEST_CASE("the same tensors give the same bytes") {
  const TensorFile file{{{"b", numbers({3}, 1)}, {"a", numbers({2}, 2)}}, {{"k", "v"}}};
  CHECK(to_safetensors(file) == to_safetensors(file));
}

TEST_CASE("an empty file of tensors is a file") {
  CHECK(from_safetensors(to_safetensors({}), "memory").tensors.empty());
}

TEST_CASE("a file cut at any byte is refused") {
  const std::string bytes = to_safetensors(
      {{{"a", numbers({2}, 1)}, {"b", torch::ones({3}, torch::kByte)}}, {{"k", "v"}}});
  for (size_t length = 0; length < bytes.size(); ++length) {
    CAPTURE(length);
    check_refused(bytes.substr(0, length));
  }
  check_refused(bytes + "x");
}

TEST_CASE("with any one byte of the header changed, a file is read or refused, never worse") {
  const std::string bytes = to_safetensors(
      {{{"a", numbers({2}, 1)}, {"b", torch::ones({3}, torch::kByte)}}, {{"k", "v"}}});
  uint64_t header = 0;
  std::memcpy(&header, bytes.data(), sizeof header);
  for (size_t i = 0; i < sizeof header + header; ++i) {
    for (const int flip : {0x01, 0x10, 0x80, 0xff}) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ flip);
      const auto error = caught([&] { from_safetensors(damaged, "FILE"); });
      if (error) CHECK(error->code() == Exit::bad_data);
    }
  }
}

TEST_CASE("a header that is too long, too short or no JSON object is refused") {
  std::string huge = file_of("{}");
  for (const uint64_t length :
       {uint64_t{3}, uint64_t{1} << 30, uint64_t{1} << 63, ~uint64_t{0}, ~uint64_t{0} - 7}) {
    std::memcpy(huge.data(), &length, sizeof length);
    check_refused(huge);
  }
  for (const char* header :
       {"", "[]", "1", "null", "{", "{}}", "\xff\xfe", "{\"a\":NaN}", "{\"a\":1}", "{\"a\":[]}",
        "{\"a\":{}}", "{\"\xff\":{}}", "{\"\\ud800\":{}}", "{} {}", "{},", "// {}\n{}"}) {
    CAPTURE(header);
    check_refused(file_of(header));
  }
}

TEST_CASE("a header begins with its bracket; spaces may follow it, and no NUL") {
  CHECK_NOTHROW(from_safetensors(file_of("{}   "), "FILE"));
  for (const char* header : {" {}", "\n{}", "\xef\xbb\xbf{}"}) {
    CAPTURE(header);
    check_refused(file_of(header));
  }
  check_refused(file_of(std::string("{}\0", 3)));
  check_refused(file_of(std::string("{}\0{\"a\":1}", 10)));
}

TEST_CASE("a name that stands twice is refused, though its tensors would fit") {
  const std::string empty = R"({"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  CHECK_NOTHROW(from_safetensors(file_of("{\"a\":" + empty + ",\"b\":" + empty + "}"), "FILE"));
  check_refused(file_of("{\"a\":" + empty + ",\"a\":" + empty + "}"));
  check_refused(file_of("{\"a\":1,\"\\u0061\":" + empty + "}"));
  check_refused(file_of(R"({"a":{"dtype":"F32","dtype":"U8","shape":[0],"data_offsets":[0,0]}})"));
  check_refused(file_of(R"({"__metadata__":{"k":"1","k":"2"}})"));
  check_refused(file_of(R"({"__metadata__":{},"__metadata__":{}})"));
}

TEST_CASE("many tensors on the same bytes are refused before they take any memory") {
  // 3,000 of a megabyte each, in a file of little more than one.
  std::string header = "{";
  for (int i = 0; i < 3000; ++i) {
    header +=
        fmt::format(R"({}"t{}":{{"dtype":"U8","shape":[1048576],"data_offsets":[0,1048576]}})",
                    i > 0 ? "," : "", i);
  }
  const std::string file = file_of(header + "}", std::string(1048576, 'x'));
  const int64_t before = peak_memory_kilobytes();
  check_refused(file);
  CHECK(peak_memory_kilobytes() - before < 1000000);
}

TEST_CASE("a BOOL that is neither 0 nor 1 is refused: to C++ it would be no value at all") {
  const std::string header = R"({"a":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]}})";
  CHECK_NOTHROW(from_safetensors(file_of(header, std::string("\0\1", 2)), "FILE"));
  check_refused(file_of(header, std::string("\1\2", 2)));
}

TEST_CASE("a message shows no more than the beginning of a long name or value") {
  const std::string name(1000000, 'n');
  for (const std::string& header :
       {"{\"" + name + "\":1}", "{\"a\":{\"dtype\":\"" + name + "\"}}",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[\"" + name + "\"],\"data_offsets\":[0,0]}}",
        "{\"" + name + "\":1,\"" + name + "\":1}", "{\"__metadata__\":{\"" + name + "\":1}}"}) {
    const std::string message = message_of([&] { from_safetensors(file_of(header), "FILE"); });
    CHECK(message.starts_with("FILE: "));
    CHECK(message.size() < 300);
  }
}

TEST_CASE("brackets nested a million deep are refused, not followed") {
  for (const std::string open : {"[", "{\"a\":"}) {
    std::string header = "{\"a\":";
    for (int i = 0; i < 1000000; ++i) header += open;
    check_refused(file_of(header));
  }
}

TEST_CASE("overlaps, gaps, bytes left over and offsets out of order are refused") {
  const std::string data(11, 'x');
  CHECK_NOTHROW(from_safetensors(file_of(kTwo, data), "FILE"));
  const auto with = [&](const std::string& a, const std::string& b) {
    return file_of(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)" + a +
                       R"(},"b":{"dtype":"U8","shape":[4],"data_offsets":)" + b + "}}",
                   std::string(8, 'x'));
  };
  CHECK_NOTHROW(from_safetensors(with("[0,4]", "[4,8]"), "FILE"));
  CHECK_NOTHROW(from_safetensors(with("[4,8]", "[0,4]"), "FILE"));
  for (const char* a : {"[1,5]", "[4,0]", "[0,3]", "[0,5]", "[-4,0]", "[0,4,8]", "[0]", "[]",
                        "[0.0,4.0]", "[\"0\",4]", "[null,4]", "4", "[[0,4]]",
                        "[0,18446744073709551615]", "[18446744073709551612,0]"}) {
    CAPTURE(a);
    check_refused(with(a, "[4,8]"));
  }
  for (const char* b : {"[0,4]", "[3,7]", "[5,9]", "[4,9]", "[4,18446744073709551615]"}) {
    CAPTURE(b);
    check_refused(with("[0,4]", b));
  }
  check_refused(file_of(kTwo, data + "y"));
  check_refused(file_of(kTwo, data.substr(1)));
}

TEST_CASE("shapes and types that do not fit the bytes are refused") {
  const auto with = [](const std::string& shape, const std::string& dtype = "\"U8\"") {
    return file_of(
        R"({"a":{"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":[0,8]}})",
        std::string(8, 'x'));
  };
  CHECK_NOTHROW(from_safetensors(with("[2,4]"), "FILE"));
  for (const char* shape : {"[7]", "[9]", "[-8]", "[-2,-4]", "[8.0]", "[1e1]", "[\"8\"]", "8",
                            "null", "[]", "[0]", "{}", "[NaN]", "[4294967296,4294967296]",
                            "[18446744073709551615]", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,8]"}) {
    CAPTURE(shape);
    check_refused(with(shape));
  }
  for (const char* dtype : {"\"F128\"", "\"u8\"", "8", "null", "[\"U8\"]", "\"F32\"", "\"\""}) {
    CAPTURE(dtype);
    check_refused(with("[8]", dtype));
  }
  // Nothing in it, so its bytes fit, but sizes whose product overflows.
  for (const char* shape :
       {"[0,281474976710656,281474976710656]", "[281474976710656,0,281474976710656]",
        "[281474976710656,281474976710656,0]"}) {
    CAPTURE(shape);
    check_refused(file_of(std::string(R"({"a":{"dtype":"F32","shape":)") + shape +
                          R"(,"data_offsets":[0,0]}})"));
  }
}

TEST_CASE("metadata must be an object of texts") {
  for (const char* metadata : {"1", "[]", "{\"k\":1}", "{\"k\":null}", "{\"k\":{}}"}) {
    CAPTURE(metadata);
    check_refused(file_of(std::string("{\"__metadata__\":") + metadata + "}"));
  }
}

TEST_CASE("a tensor's name with a line break does not break the message's line") {
  check_refused(file_of("{\"a\\nb\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}"));
  check_refused(file_of("{\"a\\nb\":1}"));
}

// ---- into a ParamList

ParamList two_params() {
  ParamList params;
  params.add({"net.weight", numbers({2, 3}, 1).to(torch::kFloat)});
  params.add({"net.mean", numbers({3}, 2).to(torch::kFloat), Role::buffer, "slow"});
  return params;
}

TEST_CASE("a ParamList comes back with the roles, groups and dtypes of the list it is read into") {
  const ParamList params = two_params();
  TensorFile file{to_tensors(params, "weights/"), {}};
  file.tensors.push_back({"optimizer/step", torch::ones({1})});  // of another prefix
  std::reverse(file.tensors.begin(), file.tensors.end());
  const ParamList like = params.to(torch::kCPU, torch::kDouble);
  const ParamList read =
      from_tensors(like, from_safetensors(to_safetensors(file), "memory"), "weights/", "memory");
  REQUIRE(read.size() == 2);
  CHECK(read.at(1).name == "net.mean");
  CHECK(read.at(1).role == Role::buffer);
  CHECK(read.at(1).group == "slow");
  CHECK(read.at(0).value.scalar_type() == torch::kDouble);
  CHECK(torch::equal(read.at(0).value, like.at(0).value));
}

TEST_CASE("every missing, extra and misshapen tensor is named, in one line") {
  TensorFile file{
      {{"weights/net.weight", torch::ones({3, 2})}, {"weights/other", torch::ones({1})}}, {}};
  const auto error = caught([&] { from_tensors(two_params(), file, "weights/", "FILE"); });
  REQUIRE(error);
  CHECK(error->code() == Exit::bad_data);
  const std::string message = error->what();
  CHECK(message.find("\"net.weight\" has shape [3,2], expected [2,3]") != std::string::npos);
  CHECK(message.find("\"net.mean\" is missing") != std::string::npos);
  CHECK(message.find("\"other\" is not expected") != std::string::npos);
  CHECK(message.starts_with("FILE: "));
  CHECK(message.find('\n') == std::string::npos);
}

}  // namespace kshot::safetensors_test
