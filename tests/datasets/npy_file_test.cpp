#include "datasets/npy_file.h"

#include "tests/base/caught.h"
#include "tests/base/temporary_folder.h"
#include "tests/datasets/npy_bytes.h"
#include "tests/datasets/sample_files.h"
#include "tests/doctest_torch.h"

namespace kshot::npy_file_test {

using namespace kshot::test;

namespace {

Tensor read_bytes(const std::string& bytes) {
  const TemporaryFolder folder;
  write_bytes(folder / "x.npy", bytes);
  return read_npy(folder / "x.npy");
}

/// Names the file, is of one line, and says `part`.
void check_refused(const std::string& bytes, const std::string& part) {
  const auto error = caught([&] { read_bytes(bytes); });
  CAPTURE(part);
  REQUIRE(error);
  const std::string message = error->what();
  CAPTURE(message);
  CHECK(error->code() == Exit::bad_data);
  CHECK(message.find("x.npy: ") != std::string::npos);
  CHECK(message.find(part) != std::string::npos);
  CHECK(message.find('\n') == std::string::npos);
}

std::string header(const std::string& type, const std::string& order, const std::string& shape) {
  return "{'descr': '" + type + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }";
}

}  // namespace

TEST_CASE("an array as NumPy writes it is read back, of every type and version") {
  const Tensor values = torch::arange(24).view({2, 3, 4});
  const std::pair<const char*, torch::Dtype> types[] = {{"<f4", torch::kFloat},
                                                        {"<f8", torch::kDouble},
                                                        {"|u1", torch::kByte},
                                                        {"<i4", torch::kInt},
                                                        {"<i8", torch::kLong}};
  for (const auto& [name, dtype] : types) {
    const Tensor read = read_bytes(npy_bytes(values.to(dtype), name));
    CHECK(read.scalar_type() == dtype);
    CHECK(read.equal(values.to(dtype)));
  }
  for (const char version : {1, 2, 3}) {
    const Tensor read =
        read_bytes(npy_bytes(header("|u1", "False", "(3,)"), "\x01\x02\x03", version));
    CHECK(read.equal(torch::tensor({1, 2, 3}, torch::kByte)));
  }
  CHECK(read_bytes(npy_bytes(header("<f4", "False", "()"), std::string(4, '\0'))).dim() == 0);
  CHECK(read_bytes(npy_bytes(header("<f4", "False", "(0, 3)"), "")).sizes() ==
        c10::IntArrayRef({0, 3}));
}

TEST_CASE("the very bytes of numpy.save(float32 [[1, -2], [0.5, 3]]) are understood") {
  std::string bytes(
      "\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }", 69);
  bytes.append(127 - bytes.size(), ' ').append("\n");
  bytes.append(std::string("\x00\x00\x80\x3f\x00\x00\x00\xc0\x00\x00\x00\x3f\x00\x00\x40\x40", 16));
  CHECK(read_bytes(bytes).equal(torch::tensor({{1.F, -2.F}, {0.5F, 3.F}})));
}

TEST_CASE("a header in another order, with other quotes and without spaces is the same header") {
  CHECK(read_bytes(npy_bytes("{\"shape\":(2,),\"fortran_order\":False,\"descr\":\"|u1\"}", "ab"))
            .equal(torch::tensor({97, 98}, torch::kByte)));
}

TEST_CASE("headers that lie about the length are found out by the file's size") {
  const std::string twelve(12, '\0');
  check_refused(npy_bytes(header("<f4", "False", "(1000000, 3)"), twelve),
                "[1000000,3] of <f4: expected 12000000 bytes behind it, found 12");
  check_refused(npy_bytes(header("<f4", "False", "(1, 2)"), twelve), "8 bytes behind it, found 12");
  check_refused(npy_bytes(header("<f8", "False", "(4611686018427387904, 4)"), twelve),
                "more than any disk holds");
  check_refused(npy_bytes(header("<f4", "False", "(99999999999999999999, 3)"), twelve),
                "the header is");
  check_refused(npy_bytes(header("<f4", "False", "(-1, 3)"), twelve), "the header is");
}

TEST_CASE("types and orders that are not read are refused by name") {
  const std::string eight(8, '\0');
  check_refused(npy_bytes(header("<f4", "True", "(1, 2)"), eight), "fortran_order is True");
  for (const char* type : {">f4", "<f2", "<c8", "|b1", "|S8", "|O", "<U2", ""})
    check_refused(npy_bytes(header(type, "False", "(1,)"), eight),
                  "values of type \"" + std::string(type) + "\"");
  check_refused(
      npy_bytes("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", eight),
      "[('a', '<f4')]");
}

TEST_CASE("what is no .npy file is refused, at whatever byte it breaks off") {
  check_refused("", "empty");
  check_refused("1,2,a\n3,4,b\n", "begins with \"1,2,a\\n\"");
  check_refused("PK\x03\x04 an archive", "expected \\x93NUMPY");
  const std::string whole = npy_bytes(torch::arange(3, torch::kFloat), "<f4");
  for (size_t length = 0; length < whole.size(); ++length)
    check_refused(whole.substr(0, length),
                  length < whole.size() - 12 ? "expected" : "expected 12 bytes");
  std::string version = whole;
  version[6] = 9;
  check_refused(version, "version 9, expected 1 to 3");
  std::string endless = whole;
  endless[9] = '\x7f';
  check_refused(endless, "its length is 32");
}

TEST_CASE("headers with parts missing, twice, unknown or behind the end are refused") {
  for (const std::string text :
       {"{'descr': '|u1', 'fortran_order': False}", "{'descr': '|u1', 'shape': (1,)}", "{}", "",
        "[]", "{'descr': '|u1', 'descr': '|u1', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (1,), 'more': 1}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (1,)} x",
        "{'descr': '|u1', 'fortran_order': 0, 'shape': (1,)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (1 1)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': 1}",
        "{'descr: '|u1', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '|u1' 'fortran_order': False, 'shape': (1,)}"})
    check_refused(npy_bytes(text, "a"), "the header is");
}

TEST_CASE("no byte of the header can be changed into a crash or a wrong length") {
  const std::string whole = npy_bytes(torch::arange(3, torch::kFloat), "<f4");
  const size_t values = whole.size() - 12;
  for (size_t i = 0; i < values; ++i) {
    for (const int flip : {0x01, 0x10, 0x80}) {
      std::string bytes = whole;
      bytes[i] = static_cast<char>(bytes[i] ^ flip);
      Tensor read;
      const auto error = caught([&] { read = read_bytes(bytes); });
      if (error) {
        CHECK(error->code() == Exit::bad_data);
      } else {
        CHECK(read.nbytes() == 12);
      }
    }
  }
}

TEST_CASE("a file that is not there, or a folder, is an error of the disk") {
  const TemporaryFolder folder;
  CHECK(caught([&] { read_npy(folder / "none.npy"); })->code() == Exit::io);
  CHECK(caught([&] { read_npy(folder.path()); })->code() == Exit::io);
}

}  // namespace kshot::npy_file_test
