#include "framework/base/suggest.h"

#include <doctest/doctest.h>

#include <vector>

namespace kshot::suggest_test {

namespace {
const std::vector<std::string> kNames{"inner_lr", "inner_steps", "way", "shot", "batch_norm"};
}

TEST_CASE("a slip of the finger finds its name: insert, delete, replace, swap, case") {
  CHECK(nearest_name("inner_lrr", kNames) == "inner_lr");
  CHECK(nearest_name("iner_lr", kNames) == "inner_lr");
  CHECK(nearest_name("inner-lr", kNames) == "inner_lr");
  CHECK(nearest_name("innre_lr", kNames) == "inner_lr");
  CHECK(nearest_name("INNER_LR", kNames) == "inner_lr");
  CHECK(nearest_name("inner_step", kNames) == "inner_steps");
  CHECK(nearest_name("wya", kNames) == "way");
  CHECK(nearest_name("batchnorm", kNames) == "batch_norm");
}

TEST_CASE("a name that is like none of them gets no suggestion") {
  CHECK(nearest_name("momentum_decay", kNames).empty());
  CHECK(nearest_name("x", kNames).empty());
  CHECK(nearest_name("", kNames).empty());
  CHECK(nearest_name("way", {}).empty());
}

TEST_CASE("the nearer of two candidates wins; at equal distance the first") {
  const std::vector<std::string> names{"resnet12", "resnet18"};
  CHECK(nearest_name("resnet_18", names) == "resnet18");
  CHECK(nearest_name("resnet1", names) == "resnet12");
}

TEST_CASE("a suggestion reads as part of an error line, or is not there") {
  CHECK(did_you_mean("shott", kNames) == " (did you mean \"shot\"?)");
  CHECK(did_you_mean("momentum_decay", kNames).empty());
}

}  // namespace kshot::suggest_test
