#include "datasets/archive.h"

#include "datasets/safe_path.h"
#include "framework/base/atomic_file.h"
#include "tests/base/caught.h"
#include "tests/base/temporary_folder.h"
#include "tests/datasets/sample_files.h"
#include "tests/doctest_torch.h"

namespace kshot::archive_test {

using namespace kshot::test;

namespace {

std::map<std::string, std::string> unpack(const std::filesystem::path& path,
                                          const ArchiveLimits& limits = {}) {
  std::map<std::string, std::string> files;
  read_archive(
      path, [&](ArchiveEntry entry) { files[entry.path] = std::move(entry.bytes); }, limits);
  return files;
}

std::string refusal(const std::filesystem::path& path, const ArchiveLimits& limits = {}) {
  const auto error = caught([&] { unpack(path, limits); });
  if (!error) return "";
  CHECK(error->code() == Exit::bad_data);
  CHECK(std::string(error->what()).starts_with(path.string()));
  return error->what();
}

/// Bytes that do not compress.
std::string noise(size_t size) {
  std::string bytes;
  uint32_t state = 1;
  while (bytes.size() < size)
    bytes += static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  return bytes;
}

}  // namespace

TEST_CASE("zip and tar.gz files give back the bytes that went in") {
  const TemporaryFolder folder;
  const std::vector<ArchiveItem> items = {{"a/one.txt", "1"},
                                          {"a/b/zwei.txt", std::string(100000, 'x')},
                                          {"leer", ""},
                                          {"\xc3\xa9.png", "e"}};
  for (const char* format : {"zip", "tar.gz"}) {
    const auto path = folder / (std::string("x.") + format);
    write_archive(path, items, format);
    const auto files = unpack(path);
    REQUIRE(files.size() == items.size());
    for (const ArchiveItem& item : items) CHECK(files.at(item.path) == item.bytes);
  }
}

TEST_CASE("entries that climb out of the folder are refused, and so are links") {
  const TemporaryFolder folder;
  for (const char* evil : {"../evil.png", "a/../../evil.png", "/etc/evil.png", "C:/evil.png",
                           "a\\..\\evil.png", "a/..", "a//b"}) {
    const auto path = folder / "slip.zip";
    write_archive(path, {{"good.png", "1"}, {evil, "2"}});
    CAPTURE(evil);
    CHECK(refusal(path).find("outside") != std::string::npos);
  }
  const auto path = folder / "link.tar.gz";
  write_archive(path, {{"link.png", "", "/etc/passwd"}}, "tar.gz");
  CHECK(refusal(path).find("a link") != std::string::npos);
  write_archive(folder / "link.zip", {{"link.png", "", "/etc/passwd"}});
  CHECK(refusal(folder / "link.zip").find("a link") != std::string::npos);
}

TEST_CASE("paths that stay inside, and paths that do not") {
  for (const char* good : {"a", "a/b.png", "..a/b..", "a/...", "\xc3\xa9 x/1"})
    CHECK(stays_inside(good));
  for (const char* bad :
       {"", "/", "/a", "..", "../a", "a/..", "a/../b", "a//b", "c:a", "a\\b", "a\nb"})
    CHECK_FALSE(stays_inside(bad));
}

TEST_CASE("a truncated zip is refused wherever it ends, and what was cut off is never half read") {
  const TemporaryFolder folder;
  write_archive(folder / "whole.zip", {{"a.png", noise(300)}, {"b.png", noise(300)}});
  const std::string whole = read_file(folder / "whole.zip");
  for (size_t length = 0; length < whole.size(); length += 7) {
    write_bytes(folder / "cut.zip", std::string_view(whole).substr(0, length));
    CAPTURE(length);
    CHECK(!refusal(folder / "cut.zip").empty());
  }
}

TEST_CASE("a truncated tar.gz, a damaged entry and a file of another kind are refused") {
  const TemporaryFolder folder;
  write_archive(folder / "whole.tar.gz", {{"a.png", noise(30000)}}, "tar.gz");
  const std::string whole = read_file(folder / "whole.tar.gz");
  for (const size_t length : {size_t{0}, size_t{10}, whole.size() / 2, whole.size() - 20000}) {
    write_bytes(folder / "cut.tar.gz", std::string_view(whole).substr(0, length));
    CAPTURE(length);
    CHECK(!refusal(folder / "cut.tar.gz").empty());
  }
  write_archive(folder / "x.zip", {{"a.png", noise(3000)}});
  std::string damaged = read_file(folder / "x.zip");
  damaged[1000] = static_cast<char>(damaged[1000] ^ 1);
  write_bytes(folder / "x.zip", damaged);
  CHECK(refusal(folder / "x.zip").find("a.png") != std::string::npos);
  write_bytes(folder / "picture.png", "\x89PNG nothing of the kind");
  CHECK(!refusal(folder / "picture.png").empty());
}

TEST_CASE("an archive over a limit is refused while it is being unpacked") {
  const TemporaryFolder folder;
  const auto path = folder / "bomb.zip";
  write_archive(path, {{"a", std::string(1 << 20, '\0')}, {"b", std::string(1 << 20, '\0')}});
  CHECK(std::filesystem::file_size(path) < 10000);
  CHECK(refusal(path).empty());
  CHECK(refusal(path, {.entry_bytes = (1 << 20) - 1}).find("\"a\"") != std::string::npos);
  CHECK(refusal(path, {.total_bytes = (1 << 21) - 1}).find("unpacks to more") != std::string::npos);
  CHECK(refusal(path, {.entries = 1}).find("more than 1") != std::string::npos);
}

TEST_CASE("a file that is not there, or is a folder, is an error of the disk") {
  const TemporaryFolder folder;
  for (const auto& path : {folder / "none.zip", folder.path()}) {
    const auto error = caught([&] { unpack(path); });
    REQUIRE(error);
    CHECK(error->code() == Exit::io);
  }
}

}  // namespace kshot::archive_test
