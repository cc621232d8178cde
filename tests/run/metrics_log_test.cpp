#include "framework/run/metrics_log.h"

#include <doctest/doctest.h>

#include "framework/base/atomic_file.h"
#include "framework/base/error.h"
#include "tests/base/caught.h"
#include "tests/base/full_disk.h"
#include "tests/base/temporary_folder.h"

namespace kshot::metrics_log_test {

using test::caught;
using test::TemporaryFolder;

TEST_CASE("lines are appended one by one, and the length counts their bytes") {
  const TemporaryFolder folder;
  MetricsLog log(folder / "metrics.jsonl", 0);
  log.append({{"iteration", 1}});
  CHECK(read_file(folder / "metrics.jsonl") == "{\"iteration\":1}\n");
  log.append({{"iteration", 2}});
  CHECK(read_file(folder / "metrics.jsonl") == "{\"iteration\":1}\n{\"iteration\":2}\n");
  CHECK(log.length() == 32);
}

TEST_CASE(
    "a resumed log is cut to the length that the checkpoint remembers, and goes on from there") {
  const TemporaryFolder folder;
  uint64_t remembered = 0;
  {
    MetricsLog log(folder / "metrics.jsonl", 0);
    log.append({{"iteration", 1}});
    remembered = log.length();
    log.append({{"iteration", 2}});
  }
  MetricsLog log(folder / "metrics.jsonl", remembered);
  CHECK(log.length() == remembered);
  log.append({{"iteration", 3}});
  CHECK(read_file(folder / "metrics.jsonl") == "{\"iteration\":1}\n{\"iteration\":3}\n");
}

TEST_CASE("a new log begins empty, whatever lay there") {
  const TemporaryFolder folder;
  write_file_atomically(folder / "metrics.jsonl", "old\n");
  MetricsLog log(folder / "metrics.jsonl", 0);
  CHECK(read_file(folder / "metrics.jsonl").empty());
}

TEST_CASE("a log that is shorter than the checkpoint remembers is refused, not filled with zeros") {
  const TemporaryFolder folder;
  write_file_atomically(folder / "metrics.jsonl", "12345");
  const auto error = caught([&] { MetricsLog(folder / "metrics.jsonl", 6); });
  REQUIRE(error);
  CHECK(error->code() == Exit::bad_data);
  CHECK(read_file(folder / "metrics.jsonl") == "12345");
}

TEST_CASE("a log that cannot be opened is the disk's fault") {
  const TemporaryFolder folder;
  const auto error = caught([&] { MetricsLog(folder / "none" / "metrics.jsonl", 0); });
  REQUIRE(error);
  CHECK(error->code() == Exit::io);
}

TEST_CASE("a full disk leaves whole lines only") {
  const TemporaryFolder folder;
  MetricsLog log(folder / "metrics.jsonl", 0);
  log.append({{"iteration", 1}});
  std::optional<Error> error;
  {
    const test::FullDisk full(20);
    error = caught([&] { log.append({{"iteration", 2}}); });
  }
  REQUIRE(error);
  CHECK(error->code() == Exit::io);
  CHECK(read_file(folder / "metrics.jsonl") == "{\"iteration\":1}\n");
}

}  // namespace kshot::metrics_log_test
