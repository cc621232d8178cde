// What a "sweep" block expands to.
#include "experiments/sweep/sweep_space.h"

#include <cmath>
#include <set>

#include "framework/base/error.h"
#include "tests/base/caught.h"
#include "tests/doctest_torch.h"

namespace kshot::sweep_space_test {

std::vector<Settings> expand(const Json& block, const Json& spec = Json::object()) {
  Json whole = spec;
  whole["sweep"] = block;
  return expand_sweep(whole, "cpu");
}

std::vector<std::string> texts(const std::vector<Settings>& trials) {
  std::vector<std::string> lines;
  for (const Settings& settings : trials) lines.push_back(settings_text(settings));
  return lines;
}

using Texts = std::vector<std::string>;

TEST_CASE("paths with lists of values are a grid") {
  CHECK(texts(expand({{"seed", {1, 2, 3}}, {"algorithm.inner_lr", {0.1, 0.4}}})) ==
        Texts{"seed=1 algorithm.inner_lr=0.1", "seed=2 algorithm.inner_lr=0.1",
              "seed=3 algorithm.inner_lr=0.1", "seed=1 algorithm.inner_lr=0.4",
              "seed=2 algorithm.inner_lr=0.4", "seed=3 algorithm.inner_lr=0.4"});
}

TEST_CASE("zip goes side by side, list one after the other, and both are factors of the product") {
  const Json block = {
      {"zip", {{"episodes.train.way", {5, 20}}, {"episodes.train.query", {15, 5}}}},
      {"list", {{{"optimizer.lr", 0.1}}, {{"optimizer.name", "sgd"}, {"optimizer.lr", 1}}}}};
  CHECK(texts(expand(block)) ==
        Texts{"optimizer.lr=0.1 episodes.train.query=15 episodes.train.way=5",
              "optimizer.lr=0.1 episodes.train.query=5 episodes.train.way=20",
              "optimizer.name=sgd optimizer.lr=1 episodes.train.query=15 episodes.train.way=5",
              "optimizer.name=sgd optimizer.lr=1 episodes.train.query=5 episodes.train.way=20"});
}

TEST_CASE("whole blocks are set before what lies in them, a plugin's name before its options") {
  const std::vector<Settings> trials =
      expand({{"algorithm.inner_lr", {0.4}},
              {"algorithm.name", {"maml"}},
              {"algorithm", {{{"name", "protonet"}, {"distance", "cosine"}}}}});
  REQUIRE(trials.size() == 1);
  const Json spec = with_edits({{"algorithm", {{"name", "reptile"}}}}, trials[0]);
  CHECK(spec["algorithm"] == Json{{"name", "maml"}, {"inner_lr", 0.4}});
}

TEST_CASE("random draws lie in their ranges, are the same every time, and spread over all of it") {
  const Json settings = {{"optimizer.lr", {{"log_uniform", {1e-4, 1e-1}}}},
                         {"optimizer.beta1", {{"uniform", {0.5, 0.9}}}},
                         {"seed", {{"integer", {3, 5}}}},
                         {"dtype", {{"choice", {"float32", "float64"}}}}};
  const Json block = {{"random", {{"count", 400}, {"seed", 7}, {"settings", settings}}}};
  const std::vector<Settings> trials = expand(block);
  REQUIRE(trials.size() == 400);
  CHECK(texts(trials) == texts(expand(block)));
  int64_t below_middle = 0;
  std::set<int64_t> seeds;
  std::set<std::string> types;
  for (const Settings& trial : trials) {
    const Json drawn = settings_json(trial);
    const auto lr = drawn["optimizer.lr"].get<double>();
    CHECK((lr >= 1e-4 && lr <= 1e-1));
    below_middle += lr < std::sqrt(1e-5) ? 1 : 0;  // the middle of the logarithms
    const auto beta = drawn["optimizer.beta1"].get<double>();
    CHECK((beta >= 0.5 && beta <= 0.9));
    CHECK(std::stod(fmt::format("{:.4g}", beta)) == beta);
    seeds.insert(drawn["seed"].get<int64_t>());
    types.insert(drawn["dtype"]);
  }
  CHECK((below_middle > 160 && below_middle < 240));  // four standard deviations around 200
  CHECK(seeds == std::set<int64_t>{3, 4, 5});
  CHECK(types.size() == 2);
}

TEST_CASE("what is drawn for a path depends on neither the number of draws nor the other paths") {
  const auto lr_of = [](const Settings& trial) { return settings_json(trial)["optimizer.lr"]; };
  const Json lr = {{"log_uniform", {1e-4, 1e-1}}};
  const auto few = expand({{"random", {{"count", 3}, {"settings", {{"optimizer.lr", lr}}}}}});
  const Json more{{"optimizer.lr", lr}, {"optimizer.beta1", {{"uniform", {0, 1}}}}};
  const auto many = expand({{"random", {{"count", 5}, {"settings", more}}}});
  const auto other =
      expand({{"random", {{"count", 3}, {"seed", 1}, {"settings", {{"optimizer.lr", lr}}}}}});
  for (size_t i = 0; i < few.size(); ++i) {
    CHECK(lr_of(few[i]) == lr_of(many[i]));
    CHECK(lr_of(few[i]) != lr_of(other[i]));
  }
}

TEST_CASE(
    "a setting with a condition is left out where that does not hold, and equal trials count "
    "once") {
  const Json block = {{"algorithm.name", {"protonet", "maml", "fomaml"}},
                      {"algorithm.inner_lr", {0.1, 0.4}},
                      {"when", {{"algorithm.inner_lr", {{"algorithm.name", {"maml", "fomaml"}}}}}}};
  CHECK(texts(expand(block)) == Texts{"algorithm.name=protonet",
                                      "algorithm.name=maml algorithm.inner_lr=0.1",
                                      "algorithm.name=fomaml algorithm.inner_lr=0.1",
                                      "algorithm.name=maml algorithm.inner_lr=0.4",
                                      "algorithm.name=fomaml algorithm.inner_lr=0.4"});
}

TEST_CASE("conditions see defaults, values that the spec gives, and settings with conditions") {
  const Json when = {{"optimizer.momentum", {{"optimizer.name", "sgd"}}},
                     {"optimizer.nesterov", {{"optimizer.momentum", 0.9}}}};
  const Json block = {{"optimizer.momentum", {0.9}},
                      {"optimizer.nesterov", {true}},
                      {"optimizer.name", {"adam", "sgd"}},
                      {"when", when}};
  CHECK(texts(expand(block)) ==
        Texts{"optimizer.name=adam",
              "optimizer.name=sgd optimizer.momentum=0.9 optimizer.nesterov=true"});
  const Json seeds = {{"seed", {1, 2}}, {"when", {{"seed", {{"optimizer.name", "adam"}}}}}};
  CHECK(expand(seeds).size() == 2);  // adam is the default
  CHECK(expand(seeds, {{"optimizer", {{"name", "sgd"}}}}).size() == 1);
}

TEST_CASE("a block that is wrong is refused, and what is wrong is named") {
  const Json circle = {{"seed", {1}},
                       {"dtype", {"float32"}},
                       {"when", {{"seed", {{"dtype", "float32"}}}, {"dtype", {{"seed", 1}}}}}};
  const auto random = [](const Json& how) {
    return Json{{"random", {{"settings", {{"optimizer.lr", how}}}}}};
  };
  const struct {
    Json block;
    const char* said;
  } cases[] = {
      {Json::array(), "sweep is []"},
      {{{"seed", 1}}, "sweep.seed is 1, expected a list of values"},
      {{{"seed", Json::array()}}, "sweep.seed is []"},
      {{{"zpi", {{"seed", {1}}}}}, "did you mean \"zip\"?"},
      {{{"zip", {{"seed", {1, 2}}, {"dtype", {"float32"}}}}},
       "sweep.zip.dtype has 1 values and sweep.zip.seed has 2"},
      {{{"list", {1}}}, "sweep.list[0] is 1"},
      {{{"seed", {1}}, {"zip", {{"seed", {2}}}}}, "sweep sets \"seed\" in two places"},
      {{{"extends", {"demo"}}}, "sweep sets \"extends\""},
      {{{"seed", {1}}, {"when", {{"sed", {{"dtype", "float32"}}}}}}, "did you mean \"seed\"?"},
      {{{"when", {{"seed", {{"dtype", "float32"}}}}}}, "\"when\" alone"},
      {circle, "circle"},
      {random({{"log_uniform", {0, 1}}}), "a low end above 0"},
      {random({{"uniform", {2, 1}}}), "low < high"},
      {random({{"integer", {0.5, 2}}}), "two whole numbers"},
      {random({{"log_unifrom", {1, 2}}}), "did you mean \"log_uniform\"?"},
      {{{"random", {{"cuont", 3}}}}, "did you mean \"count\"?"},
      {{{"seed", std::vector<int>(200, 1)}, {"log.every", std::vector<int>(200, 1)}},
       "more than 10000 trials"},
  };
  for (const auto& example : cases) {
    INFO(example.block.dump());
    const auto error = test::caught([&] { expand(example.block); });
    REQUIRE(error.has_value());
    INFO(error->what());
    CHECK(error->code() == Exit::bad_spec);
    CHECK(std::string(error->what()).find(example.said) != std::string::npos);
  }
  CHECK(test::message_of([] { expand_sweep(Json::object(), "cpu"); }).find("no \"sweep\" block") !=
        std::string::npos);
}

}  // namespace kshot::sweep_space_test
