#include "framework/base/fields.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "tests/base/caught.h"

namespace kshot::fields_test {

using test::caught;
using test::message_of;

namespace {

struct Schedule {
  std::string name = "constant";
  int64_t every = 2000;
  std::optional<double> factor;

  void describe(Fields& fields) {
    fields.option("name", name, {.help = "the schedule", .one_of = {"constant", "step", "cosine"}});
    fields.option("every", every, {.min = 1});
    fields.option("factor", factor, {.min = 0, .max = 1});
  }
};

struct Optimizer {
  double lr = 1e-3;
  bool nesterov = false;
  std::vector<double> betas{0.9, 0.999};
  Schedule schedule;

  void describe(Fields& fields) {
    fields.option("lr", lr, {.help = "learning rate", .symbol = "β", .min = 0, .max = 100});
    fields.option("nesterov", nesterov, {});
    fields.option("betas", betas, {.min = 0, .max = 1});
    fields.section("schedule", schedule);
  }
};

struct Paper {
  double accuracy = 0.5;

  void describe(Fields& fields) { fields.option("accuracy", accuracy, {.min = 0, .max = 1}); }
};

struct Spec {
  uint64_t seed = 1;
  int64_t way = 5;
  std::string label = "run";
  std::vector<std::string> notes;
  Json anything = Json::object();
  Optimizer optimizer;
  std::optional<Paper> paper;

  void describe(Fields& fields) {
    fields.option("seed", seed, {});
    fields.option("way", way, {.min = 2, .max = 1000});
    fields.option("label", label, {});
    fields.option("notes", notes, {});
    fields.option("anything", anything, {});
    fields.section("optimizer", optimizer);
    fields.section("paper", paper);
  }
};

Spec read(const Json& json, const std::string& path = {}) {
  Spec spec;
  read_config(spec, json, path);
  return spec;
}

Spec read(const char* text) { return read(Json::parse(text)); }

std::string error_of(const char* text) {
  const auto error = caught([&] { read(text); });
  if (!error) return "";
  CHECK(error->code() == Exit::bad_spec);
  return error->what();
}

std::string error_of(const Json& json) {
  return message_of([&] { read(json); });
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("what a spec leaves out keeps its default, and the record echoes every one") {
  const Json expected = Json::parse(R"({
    "seed": 1, "way": 5, "label": "run", "notes": [], "anything": {},
    "optimizer": {"lr": 0.001, "nesterov": false, "betas": [0.9, 0.999],
                  "schedule": {"name": "constant", "every": 2000}}})");
  CHECK(write_config(read("{}")) == expected);
}

TEST_CASE("a resolved config read again is the same config") {
  const Spec spec =
      read(R"({"seed": 18446744073709551615, "way": 20, "label": "ä\"\n", "notes": ["a", "b"],
    "anything": [1, {"x": null}], "paper": {"accuracy": 0.988},
    "optimizer": {"lr": 0.1, "nesterov": true, "betas": [], "schedule": {"name": "step", "factor": 0.5}}})");
  CHECK(spec.way == 20);
  CHECK(spec.notes == std::vector<std::string>{"a", "b"});
  CHECK(spec.optimizer.nesterov);
  CHECK(spec.optimizer.betas.empty());
  CHECK(spec.optimizer.schedule.factor.value() == 0.5);
  CHECK(spec.paper->accuracy == 0.988);
  const Json resolved = write_config(spec);
  CHECK(write_config(read(resolved)) == resolved);
}

TEST_CASE("an unknown key names its path, the nearest known name and what is known there") {
  CHECK(error_of(R"({"sede": 1})") ==
        "unknown key \"sede\" (did you mean \"seed\"?); known here: seed, way, label, notes, "
        "anything, "
        "optimizer, paper");
  CHECK(
      error_of(R"({"optimizer": {"schedule": {"evry": 3}}})") ==
      "unknown key \"optimizer.schedule.evry\" (did you mean \"every\"?); known here: name, every, "
      "factor");
  CHECK(
      has(error_of(R"({"paper": {"zzz": 3}})"), "unknown key \"paper.zzz\"; known here: accuracy"));
}

TEST_CASE("a value out of range names its path, the value and the bounds") {
  CHECK(error_of(R"({"way": 1})") == "way is 1, expected a value in [2, 1000]");
  CHECK(error_of(R"({"optimizer": {"lr": -0.5}})") ==
        "optimizer.lr is -0.5, expected a value in [0, 100]");
  CHECK(error_of(R"({"optimizer": {"schedule": {"every": 0}}})") ==
        "optimizer.schedule.every is 0, expected a value at least 1");
  CHECK(error_of(R"({"optimizer": {"betas": [0.9, 1.5]}})") ==
        "optimizer.betas[1] is 1.5, expected a value in [0, 1]");
  CHECK(error_of(R"({"optimizer": {"schedule": {"factor": 2}}})") ==
        "optimizer.schedule.factor is 2, expected a value in [0, 1]");
  CHECK(read(R"({"way": 2})").way == 2);  // bounds belong to the range
  CHECK(read(R"({"way": 1000})").way == 1000);
}

TEST_CASE("a value of the wrong type names its path, the value and the type expected") {
  CHECK(error_of(R"({"way": "5"})") == "way is \"5\", expected an integer");
  CHECK(error_of(R"({"way": 2.5})") == "way is 2.5, expected an integer");
  CHECK(error_of(R"({"way": true})") == "way is true, expected an integer");
  CHECK(error_of(R"({"way": null})") == "way is null, expected an integer");
  CHECK(error_of(R"({"label": 3})") == "label is 3, expected text in quotes");
  CHECK(error_of(R"({"notes": 3})") == "notes is 3, expected text in quotes");
  CHECK(error_of(R"({"notes": ["a", 3]})") == "notes[1] is 3, expected text in quotes");
  CHECK(error_of(R"({"optimizer": 3})") == "optimizer is 3, expected a block {...}");
  CHECK(error_of(R"({"optimizer": {"lr": "0.1"}})") ==
        "optimizer.lr is \"0.1\", expected a number");
  CHECK(error_of(R"({"optimizer": {"nesterov": 1}})") ==
        "optimizer.nesterov is 1, expected true or false");
  CHECK(error_of(R"([1])") == "the spec is [1], expected a block {...}");
}

TEST_CASE("one value stands for a list of one") {
  CHECK(read(R"({"notes": "a"})").notes == std::vector<std::string>{"a"});
  CHECK(read(R"({"optimizer": {"betas": 0.5}})").optimizer.betas == std::vector<double>{0.5});
  CHECK(error_of(R"({"optimizer": {"betas": 1.5}})") ==
        "optimizer.betas is 1.5, expected a value in [0, 1]");
}

TEST_CASE("a value that is a whole block is not repeated in full") {
  const std::string message = error_of(Json{{"way", std::string(5000, 'x')}});
  CHECK(message.size() < 120);
  CHECK(has(message, "way is \"xxx"));
}

TEST_CASE("NaN and infinity are refused wherever a number is expected") {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (const double value : {std::nan(""), kInfinity, -kInfinity}) {
    CHECK(has(error_of(Json{{"optimizer", {{"lr", value}}}}), "expected a finite number"));
    CHECK(has(error_of(Json{{"way", value}}), "expected an integer"));
    CHECK(has(error_of(Json{{"seed", value}}), "expected an integer"));
  }
  CHECK(error_of(Json{{"optimizer", {{"lr", std::nan("")}}}}) ==
        "optimizer.lr is nan, expected a finite number");
}

TEST_CASE("a choice among names suggests the nearest") {
  CHECK(
      error_of(R"({"optimizer": {"schedule": {"name": "cosin"}}})") ==
      "optimizer.schedule.name is \"cosin\" (did you mean \"cosine\"?), expected one of: constant, "
      "step, cosine");
}

TEST_CASE("integers: the whole of uint64 and int64, 1e4 as people write it, and no further") {
  CHECK(read(R"({"seed": 18446744073709551615})").seed == UINT64_MAX);
  CHECK(read(R"({"seed": 0})").seed == 0);
  CHECK(read(Json{{"seed", 7}}).seed == 7);  // a signed JSON number, as --set makes it
  CHECK(read(R"({"seed": 1e4})").seed == 10000);
  CHECK(read(R"({"way": 1e2})").way == 100);
  CHECK(error_of(R"({"seed": -1})") == "seed is -1, expected an integer of at least 0");
  CHECK(has(error_of(R"({"seed": -1e3})"), "expected an integer of at least 0"));
  CHECK(has(error_of(R"({"seed": 1.5})"), "expected an integer of at least 0"));
  CHECK(has(error_of(R"({"seed": 18446744073709551616})"), "expected an integer of at least 0"));
  CHECK(has(error_of(R"({"way": 18446744073709551615})"), "expected an integer below 2^63"));
  CHECK(has(error_of(R"({"way": 1e300})"), "expected an integer"));
}

TEST_CASE("an optional value is absent until given, and null takes it back") {
  CHECK_FALSE(read("{}").optimizer.schedule.factor.has_value());
  CHECK(read(R"({"optimizer": {"schedule": {"factor": 0}}})").optimizer.schedule.factor == 0.0);
  Schedule schedule;
  schedule.factor = 0.5;
  read_config(schedule, Json::parse(R"({"factor": null})"));
  CHECK_FALSE(schedule.factor.has_value());
  CHECK_FALSE(write_config(schedule).contains("factor"));
}

TEST_CASE(
    "an optional block is absent until given, checked like any other, and null takes it back") {
  CHECK_FALSE(read("{}").paper.has_value());
  CHECK_FALSE(write_config(read("{}")).contains("paper"));
  CHECK(read(R"({"paper": {}})").paper->accuracy == 0.5);
  CHECK(error_of(R"({"paper": {"accuracy": 98.8}})") ==
        "paper.accuracy is 98.8, expected a value in [0, 1]");
  CHECK(error_of(R"({"paper": [1]})") == "paper is [1], expected a block {...}");
  Spec spec = read(R"({"paper": {"accuracy": 0.9}})");
  read_config(spec, Json::parse(R"({"paper": null})"));
  CHECK_FALSE(spec.paper.has_value());
}

TEST_CASE("messages show where a block stands when it is read by itself") {
  Schedule schedule;
  CHECK(message_of([&] { read_config(schedule, Json{{"every", 0}}, "optimizer.schedule"); }) ==
        "optimizer.schedule.every is 0, expected a value at least 1");
  CHECK(message_of([&] { read_config(schedule, Json(3), "optimizer.schedule"); }) ==
        "optimizer.schedule is 3, expected a block {...}");
}

TEST_CASE("the list of options has path, type, default, bounds and symbol in order of describe") {
  const auto rows = list_options<Spec>();
  std::vector<std::string> paths;
  for (const OptionRow& row : rows) paths.push_back(row.path);
  CHECK(paths == std::vector<std::string>{"seed", "way", "label", "notes", "anything",
                                          "optimizer.lr", "optimizer.nesterov", "optimizer.betas",
                                          "optimizer.schedule.name", "optimizer.schedule.every",
                                          "optimizer.schedule.factor", "paper.accuracy"});
  const auto row = [&](const std::string& path) {
    for (const OptionRow& each : rows) {
      if (each.path == path) return each;
    }
    return OptionRow{};
  };
  CHECK(row("way").type == "integer");
  CHECK(row("way").default_value == 5);
  CHECK(row("way").option.min == 2);
  CHECK(row("optimizer.lr").type == "number");
  CHECK(row("optimizer.lr").option.symbol == "β");
  CHECK(row("optimizer.lr").option.help == "learning rate");
  CHECK(row("optimizer.betas").type == "list of number");
  CHECK(row("optimizer.nesterov").type == "true or false");
  CHECK(row("optimizer.schedule.name").option.one_of.size() == 3);
  CHECK(row("optimizer.schedule.factor").type == "number, optional");
  CHECK(row("optimizer.schedule.factor").default_value.is_null());
  CHECK(row("paper.accuracy").default_value == 0.5);
  CHECK(list_options<Schedule>("optimizer.schedule").front().path == "optimizer.schedule.name");
}

}  // namespace kshot::fields_test
