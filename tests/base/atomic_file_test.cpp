#include "framework/base/atomic_file.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "tests/base/caught.h"
#include "tests/base/full_disk.h"
#include "tests/base/temporary_folder.h"

namespace kshot::atomic_file_test {

using test::caught;
using test::TemporaryFolder;
using Names = std::set<std::string>;

TEST_CASE("a committed file has the bytes written and nothing lies beside it") {
  const TemporaryFolder folder;
  const std::string bytes("a\0b\n\xff", 5);
  write_file_atomically(folder / "file", bytes);
  CHECK(read_file(folder / "file") == bytes);
  CHECK(folder.names() == Names{"file"});
  write_file_atomically(folder / "file", "");
  CHECK(read_file(folder / "file").empty());
}

TEST_CASE("a file is not there before commit, and replaces the old one at once") {
  const TemporaryFolder folder;
  write_file_atomically(folder / "file", "old");
  AtomicFile file(folder / "file");
  file.write("new");
  file.write(" bytes");
  CHECK(read_file(folder / "file") == "old");
  CHECK(read_file(file.temporary_path()) == "new bytes");
  CHECK(file.temporary_path().parent_path() == folder.path());  // a rename stays on one disk
  file.commit();
  CHECK(read_file(folder / "file") == "new bytes");
  CHECK(folder.names() == Names{"file"});
}

TEST_CASE("a header can be filled in last") {
  const TemporaryFolder folder;
  AtomicFile file(folder / "file");
  file.write("????body");
  file.write_at(0, "head", 4);
  file.write("tail");
  file.commit();
  CHECK(read_file(folder / "file") == "headbodytail");
}

TEST_CASE("what is not committed leaves nothing behind") {
  const TemporaryFolder folder;
  {
    AtomicFile(folder / "file").write("half");
  }
  CHECK(folder.names().empty());
  write_file_atomically(folder / "file", "old");
  caught([&] {
    AtomicFile file(folder / "file");
    file.write("half");
    throw Error(Exit::diverged, "something else went wrong");
  });
  CHECK(read_file(folder / "file") == "old");
  CHECK(folder.names() == Names{"file"});
}

TEST_CASE("two writers of one file do not mix: the last commit wins whole") {
  const TemporaryFolder folder;
  AtomicFile one(folder / "file"), other(folder / "file");
  one.write("one");
  other.write("other");
  one.write(" one");
  other.commit();
  one.commit();
  CHECK(read_file(folder / "file") == "one one");
  CHECK(folder.names() == Names{"file"});
}

TEST_CASE("a full disk is one I/O error that names the file; nothing half-written is left") {
  const TemporaryFolder folder;
  write_file_atomically(folder / "file", "old");
  const std::string large(100000, 'x');
  std::optional<Error> by_write, by_header;
  {
    const test::FullDisk full(4096);
    by_write = caught([&] { write_file_atomically(folder / "file", large); });
    by_header = caught([&] {
      AtomicFile file(folder / "file");
      file.write_at(4000, large.data(), 1000);  // fits in part
      file.commit();
    });
  }
  for (const auto& error : {by_write, by_header}) {
    REQUIRE(error);
    CHECK(error->code() == Exit::io);
    CHECK(std::string(error->what()) ==
          (folder / "file").string() + ": cannot be written: File too large");
  }
  CHECK(read_file(folder / "file") == "old");
  CHECK(folder.names() == Names{"file"});
}

TEST_CASE("a folder that cannot be written is one I/O error that names the file") {
  // Permissions would not stop root, who runs the tests in a container; a file for a folder does.
  const TemporaryFolder folder;
  write_file_atomically(folder / "plain", "a file");
  const auto below_file =
      caught([&] { write_file_atomically(folder / "plain/result.json", "{}"); });
  REQUIRE(below_file);
  CHECK(below_file->code() == Exit::io);
  CHECK(std::string(below_file->what()) ==
        (folder / "plain/result.json").string() + ": cannot be created: Not a directory");

  const auto no_folder = caught([&] { write_file_atomically(folder / "none/result.json", "{}"); });
  REQUIRE(no_folder);
  CHECK(no_folder->code() == Exit::io);

  const auto made_below_file = caught([&] { make_folder(folder / "plain/runs"); });
  REQUIRE(made_below_file);
  CHECK(made_below_file->code() == Exit::io);
  CHECK(folder.names() == Names{"plain"});
}

TEST_CASE("a commit that cannot be put in place leaves no temporary file") {
  const TemporaryFolder folder;
  make_folder(folder / "name/taken by a folder");
  const auto error = caught([&] { write_file_atomically(folder / "name", "text"); });
  REQUIRE(error);
  CHECK(error->code() == Exit::io);
  CHECK(folder.names() == Names{"name"});
}

TEST_CASE("a crash before commit leaves the old file as it was") {
  const TemporaryFolder folder;
  write_file_atomically(folder / "file", "old");
  const pid_t child = ::fork();
  if (child == 0) {
    AtomicFile file(folder / "file");
    file.write("half of the new");
    ::_exit(9);  // no destructor runs
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WEXITSTATUS(status) == 9);
  CHECK(read_file(folder / "file") == "old");
}

TEST_CASE("making a folder makes its parents and is content with one that is there") {
  const TemporaryFolder folder;
  make_folder(folder / "a/b/c");
  make_folder(folder / "a/b/c");
  CHECK(std::filesystem::is_directory(folder / "a/b/c"));
}

TEST_CASE("reading tells a missing file, a folder and a failing disk apart from an empty file") {
  const TemporaryFolder folder;
  const auto missing = caught([&] { read_file(folder / "none"); });
  REQUIRE(missing);
  CHECK(missing->code() == Exit::io);
  CHECK(std::string(missing->what()) ==
        (folder / "none").string() + ": cannot be read: No such file or directory");
  const auto directory = caught([&] { read_file(folder.path()); });
  REQUIRE(directory);
  CHECK(std::string(directory->what()) ==
        folder.path().string() + ": cannot be read: Is a directory");
  // The first page of a process's memory is never mapped: reading it fails with EIO.
  const auto failing = caught([&] { read_file("/proc/self/mem"); });
  REQUIRE(failing);
  CHECK(failing->code() == Exit::io);
}

}  // namespace kshot::atomic_file_test
