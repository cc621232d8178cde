#include "framework/base/progress.h"

#include <doctest/doctest.h>

namespace kshot::progress_test {

TEST_CASE("remaining time reads as minutes, or hours once there are some") {
  CHECK(clock_text(0) == "0:00");
  CHECK(clock_text(59.4) == "0:59");
  CHECK(clock_text(59.6) == "1:00");
  CHECK(clock_text(125) == "2:05");
  CHECK(clock_text(3725) == "1:02:05");
}

}  // namespace kshot::progress_test
