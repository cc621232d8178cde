// The lock on a trial: one owner at a time, taken over only from the dead.
#include "experiments/sweep/trial_lock.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "framework/base/atomic_file.h"
#include "tests/base/temporary_folder.h"
#include "tests/doctest_torch.h"

namespace kshot::trial_lock_test {

namespace fs = std::filesystem;
using test::TemporaryFolder;

/// Time that has passed, for whoever looks at the file.
void age(const fs::path& path, std::chrono::seconds by) {
  fs::last_write_time(path, fs::last_write_time(path) - by);
}

TEST_CASE(
    "a trial's lock has one owner, is free again when given back, and is one for each trial") {
  const TemporaryFolder folder;
  auto first = TrialLock::acquire(folder.path(), 3);
  REQUIRE(first != nullptr);
  CHECK(first->beat());
  CHECK(TrialLock::acquire(folder.path(), 3) == nullptr);
  CHECK(TrialLock::acquire(folder.path(), 4) != nullptr);
  first.reset();
  CHECK(TrialLock::acquire(folder.path(), 3) != nullptr);
}

TEST_CASE("of many processes that ask for a lock at the same time one gets it") {
  const TemporaryFolder folder, marks_folder;
  const fs::path marks = marks_folder.path();
  int gate[2];
  REQUIRE(::pipe(gate) == 0);
  std::vector<pid_t> children;
  for (int i = 0; i < 8; ++i) {
    children.push_back(::fork());
    if (children.back() != 0) continue;
    ::close(gate[1]);
    char byte = 0;
    (void)!::read(gate[0], &byte, 1);  // until all are there
    const auto lock = TrialLock::acquire(folder.path(), 0);
    // The owner keeps it until all others have tried, which leave a mark.
    if (lock == nullptr) {
      fs::create_directory(marks / std::to_string(i));
      ::_exit(1);
    }
    while (std::distance(fs::directory_iterator(marks), fs::directory_iterator()) < 7)
      ::usleep(1000);
    ::_exit(0);
  }
  ::close(gate[0]);
  ::close(gate[1]);
  int owners = 0;
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    owners += WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 1 : 0;
  }
  CHECK(owners == 1);
}

TEST_CASE("where the owner was killed, its child holds the lock for as long as it lives") {
  const TemporaryFolder folder;
  int report[2];
  REQUIRE(::pipe(report) == 0);
  const pid_t owner = ::fork();
  if (owner == 0) {
    const auto lock = TrialLock::acquire(folder.path(), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      while (true) ::pause();
    }
    (void)!::write(report[1], &child, sizeof child);
    while (true) ::pause();
  }
  pid_t child = -1;
  REQUIRE(::read(report[0], &child, sizeof child) == sizeof child);
  ::kill(owner, SIGKILL);
  ::waitpid(owner, nullptr, 0);
  age(folder / "0.0", 2 * TrialLock::kStale);  // no heartbeat, but a child at work
  CHECK(TrialLock::acquire(folder.path(), 0) == nullptr);
  ::kill(child, SIGKILL);
  std::unique_ptr<TrialLock> lock;
  while (lock == nullptr) lock = TrialLock::acquire(folder.path(), 0);
  CHECK(fs::exists(folder / "0.1"));
  ::close(report[0]);
  ::close(report[1]);
}

TEST_CASE("another machine's lock holds until its heartbeat is a minute old") {
  const TemporaryFolder folder;
  write_file_atomically(folder / "0.0", R"({"machine": "another", "process": 1})");
  age(folder / "0.0", TrialLock::kStale / 2);
  CHECK(TrialLock::acquire(folder.path(), 0) == nullptr);
  age(folder / "0.0", TrialLock::kStale);
  CHECK(TrialLock::acquire(folder.path(), 0) != nullptr);
}

TEST_CASE("a lock file that says nothing yet holds, too, until it is a minute old") {
  const TemporaryFolder folder;
  write_file_atomically(folder / "0.0", "");
  CHECK(TrialLock::acquire(folder.path(), 0) == nullptr);
  age(folder / "0.0", 2 * TrialLock::kStale);
  CHECK(TrialLock::acquire(folder.path(), 0) != nullptr);
}

TEST_CASE("who stood still and was taken over learns it from the heartbeat") {
  const TemporaryFolder folder;
  const auto lock = TrialLock::acquire(folder.path(), 0);
  write_file_atomically(folder / "0.1", R"({"machine": "another", "process": 1})");
  CHECK_FALSE(lock->beat());
}

TEST_CASE("a heartbeat renews the file's time") {
  const TemporaryFolder folder;
  const auto lock = TrialLock::acquire(folder.path(), 0);
  const auto before = fs::last_write_time(folder / "0.0");
  age(folder / "0.0", TrialLock::kStale);
  CHECK(lock->beat());
  CHECK(fs::last_write_time(folder / "0.0") >= before);
}

}  // namespace kshot::trial_lock_test
