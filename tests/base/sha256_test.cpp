#include "framework/base/sha256.h"

#include <doctest/doctest.h>

#include "framework/base/atomic_file.h"
#include "tests/base/caught.h"
#include "tests/base/temporary_folder.h"

namespace kshot::sha256_test {

using test::caught;

TEST_CASE("SHA-256 gives the answers of FIPS 180") {
  CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(sha256_hex(std::string(1000000, 'a')) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("a hash does not depend on how the bytes come in pieces") {
  const std::string text = std::string(1000, 'x') + std::string("\0y", 2) + std::string(77, 'z');
  for (const size_t piece : {1u, 63u, 64u, 65u, 1000u}) {
    Sha256 hash;
    for (size_t i = 0; i < text.size(); i += piece)
      hash.update(std::string_view(text).substr(i, piece));
    CHECK(hash.hex() == sha256_hex(text));
  }
}

TEST_CASE("a seed from a name is the first 64 bits of its hash") {
  CHECK(sha256_u64("abc") == 0xba7816bf8f01cfea);
  CHECK(sha256_u64("") == 0xe3b0c44298fc1c14);
}

TEST_CASE("a file's hash is that of its bytes, from any offset on") {
  const test::TemporaryFolder folder;
  std::string bytes;
  for (int i = 0; i < 2500000; ++i) bytes.push_back(static_cast<char>(i * 31 + i / 251));
  write_file_atomically(folder / "bytes", bytes);
  CHECK(sha256_file(folder / "bytes") == sha256_hex(bytes));
  for (const size_t offset : {1u, 512u, 1048576u, 2499999u, 2500000u}) {
    CHECK(sha256_file(folder / "bytes", offset) ==
          sha256_hex(std::string_view(bytes).substr(offset)));
  }
  write_file_atomically(folder / "empty", "");
  CHECK(sha256_file(folder / "empty") == sha256_hex(""));
}

TEST_CASE("a file that cannot be read has no hash: an I/O error names it") {
  const test::TemporaryFolder folder;
  const auto missing = caught([&] { sha256_file(folder / "none"); });
  REQUIRE(missing);
  CHECK(missing->code() == Exit::io);
  CHECK(std::string(missing->what()).find((folder / "none").string()) == 0);
  const auto directory = caught([&] { sha256_file(folder.path()); });
  REQUIRE(directory);
  CHECK(directory->code() == Exit::io);
}

}  // namespace kshot::sha256_test
