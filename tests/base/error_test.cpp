#include "framework/base/error.h"

#include <doctest/doctest.h>

namespace kshot::error_test {

TEST_CASE("exit codes are the numbers that scripts rely on") {
  CHECK(static_cast<int>(Exit::done) == 0);
  CHECK(static_cast<int>(Exit::bad_spec) == 2);
  CHECK(static_cast<int>(Exit::bad_data) == 65);
  CHECK(static_cast<int>(Exit::internal) == 70);
  CHECK(static_cast<int>(Exit::io) == 74);
  CHECK(static_cast<int>(Exit::stopped) == 75);
  CHECK(static_cast<int>(Exit::diverged) == 76);
}

TEST_CASE("an error carries its code and its message, braces in names and all") {
  const Error error(Exit::bad_data, "class \"{}\" has {} images", "a{b}c", 20);
  CHECK(error.code() == Exit::bad_data);
  CHECK(std::string(error.what()) == "class \"a{b}c\" has 20 images");
}

}  // namespace kshot::error_test
