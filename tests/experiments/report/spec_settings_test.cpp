#include "experiments/report/spec_settings.h"

#include <doctest/doctest.h>

#include "experiments/flat_spec.h"

namespace kshot::spec_settings_test {

namespace {

Json spec(double lr, int seed, const char* name = "alpha") {
  return {{"name", name},
          {"seed", seed},
          {"algorithm", {{"name", "maml"}, {"inner_lr", lr}}},
          {"optimizer", {{"lr", 0.1}, {"schedule", Json::object()}}},
          {"backbone", {{"channels", {32, 64}}}},
          {"dataset", {{"name", "pack"}, {"path", "data/here.h5"}}},
          {"log", {{"every", 10}}},
          {"paper", {{"accuracy", 0.9}}}};
}

}  // namespace

TEST_CASE("settings are what decides a number: no name, paper, log or place of a pack") {
  const auto settings = flat_spec(spec(0.4, 1));
  const std::map<std::string, std::string> expected{{"algorithm.inner_lr", "0.4"},
                                                    {"algorithm.name", "maml"},
                                                    {"backbone.channels", "[32,64]"},
                                                    {"dataset.name", "pack"},
                                                    {"optimizer.lr", "0.1"},
                                                    {"optimizer.schedule", "{}"},
                                                    {"seed", "1"}};
  CHECK(settings == expected);
}

TEST_CASE("only what differs is a difference, and it has a short name where that is clear") {
  Json other = spec(0.1, 1);
  other["optimizer"]["lr"] = 0.2;
  other["train"]["lr"] = 5;
  other["dataset"]["path"] = "elsewhere.h5";
  const auto settings = differing_settings({spec(0.4, 1), other});
  REQUIRE(settings.size() == 3);
  CHECK(settings[0].path == "algorithm.inner_lr");
  CHECK(settings[0].name == "inner_lr");
  CHECK(settings[0].values == std::vector<std::string>{"0.4", "0.1"});
  CHECK(settings[1].name == "optimizer.lr");  // two end in lr
  CHECK(settings[2].name == "train.lr");
  CHECK(settings[2].values == std::vector<std::string>{"", "5"});
}

TEST_CASE("runs of different names are called by them") {
  CHECK(run_labels({"alpha", "beta"}, {"1", "2"}, {spec(0.4, 1), spec(0.1, 2)}) ==
        std::vector<std::string>{"alpha", "beta"});
}

TEST_CASE("runs of one name are called by what differs among them") {
  CHECK(run_labels({"alpha", "alpha"}, {"1", "2"}, {spec(0.4, 1), spec(0.1, 1)}) ==
        std::vector<std::string>{"inner_lr 0.4", "inner_lr 0.1"});
  CHECK(run_labels({"alpha", "beta", "alpha"}, {"1", "2", "3"},
                   {spec(0.4, 1), spec(0.4, 1), spec(0.4, 2)}) ==
        std::vector<std::string>{"alpha seed 1", "beta", "alpha seed 2"});
}

TEST_CASE("runs of one name and spec are told apart by their ids") {
  CHECK(run_labels({"alpha", "alpha"}, {"1f", "2e"}, {spec(0.4, 1), spec(0.4, 1)}) ==
        std::vector<std::string>{"alpha 1f", "alpha 2e"});
}

}  // namespace kshot::spec_settings_test
