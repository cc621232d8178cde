// Records that were altered, part by part: each alteration must be found and named.
#include "experiments/verification/verification.h"

#include <functional>
#include <set>
#include <sstream>

#include "experiments/records/records.h"
#include "experiments/verification/redrawn_tasks.h"
#include "framework/base/atomic_file.h"
#include "tests/base/temporary_folder.h"
#include "tests/doctest_torch.h"
#include "tests/experiments/program.h"
#include "tests/experiments/written_record.h"

namespace kshot::verification_test {

namespace fs = std::filesystem;
using test::kshot;
using test::Outcome;
using test::read_json;
using test::TemporaryFolder;
using test::write_json;

namespace {

/// A finished run of the tiny spec, made once for all cases: nobody changes it.
const fs::path& tiny_run() {
  static const TemporaryFolder folder;
  static const fs::path run = test::make_tiny_run(folder.path());
  return run;
}

/// A copy of a run, as results/NAME/ID of a folder of its own.
struct Copied {
  TemporaryFolder folder;
  fs::path run;

  explicit Copied(const fs::path& original = tiny_run())
      : run(folder / "results" / original.parent_path().filename() / original.filename()) {
    fs::create_directories(run.parent_path());
    fs::copy(original, run, fs::copy_options::recursive);
  }
  std::string problems() const {
    return fmt::format("{}", fmt::join(check_record(run).problems, "\n"));
  }
};

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

void edit_json(const fs::path& file, const std::function<void(Json&)>& edit) {
  Json json = read_json(file);
  edit(json);
  write_json(file, json);
}

using Lines = std::vector<Json>;

void edit_lines(const fs::path& file, const std::function<void(Lines&)>& edit) {
  Lines lines;
  std::istringstream text(read_file(file));
  for (std::string line; std::getline(text, line);) lines.push_back(Json::parse(line));
  edit(lines);
  std::string edited;
  for (const Json& line : lines) edited += line.dump() + "\n";
  write_file_atomically(file, edited);
}

/// Another value of the same type.
Json altered(const Json& value) {
  if (value.is_boolean()) return !value.get<bool>();
  if (value.is_string()) return value.get<std::string>() + "0";
  if (value.is_number_integer()) return value.get<int64_t>() + 1;
  if (value.is_number()) return value.get<double>() + 0.01;
  return Json();
}

}  // namespace

TEST_CASE("a record as it was written is consistent, and nothing of it is left unchecked") {
  const RecordFindings findings = check_record(tiny_run());
  CHECK(findings.problems == std::vector<std::string>{});
  CHECK(findings.unchecked == std::vector<std::string>{});
}

TEST_CASE("each figure of result.json, altered alone, is found and named") {
  // What no other file says, or another file says only in part.
  const std::set<std::string> free{"/run/finished", "/train/peak_memory_bytes",
                                   "/data/classes/train", "/data/classes/validation"};
  const Copied copy;
  const Json result = read_json(copy.run / "result.json");
  int64_t tried = 0;
  const Json flat = result.flatten();
  for (const auto& [pointer, value] : flat.items()) {
    if (free.contains(pointer)) continue;
    CAPTURE(pointer);
    Json changed = result;
    changed[Json::json_pointer(pointer)] = altered(value);
    write_json(copy.run / "result.json", changed);
    const std::string problems = copy.problems();
    INFO(problems);
    const std::string name =
        pointer == "/run/id" ? "run id" : pointer.substr(pointer.rfind('/') + 1);
    CHECK(has(problems, name));
    ++tried;
  }
  CHECK(tried > 30);
}

TEST_CASE("a figure that is missing is found and named") {
  const Copied copy;
  const Json result = read_json(copy.run / "result.json");
  for (const char* pointer :
       {"/test/accuracy/ci95_classes", "/test/loss/std", "/train/best_validation_accuracy",
        "/train/iterations", "/algorithm/batch_norm", "/run/seed", "/test/seed", "/parameters"}) {
    CAPTURE(pointer);
    Json changed = result;
    const Json::json_pointer place(pointer);
    changed[place.parent_pointer()].erase(place.back());
    write_json(copy.run / "result.json", changed);
    CHECK(has(copy.problems(), place.back()));
  }
}

TEST_CASE("each field of an episode line, altered alone, is found") {
  const Copied copy;
  const fs::path file = copy.run / "episodes.jsonl";
  const std::string lines = read_file(file);
  const Json fields = Json::parse(lines.substr(0, lines.find('\n')));
  CHECK(fields.size() == 10);
  for (const auto& [name, value] : fields.items()) {
    CAPTURE(name);
    edit_lines(file, [&, key = name](Lines& all) {
      Json& field = all[3][key];
      if (field.is_array()) {
        field[0] = altered(field[0]);
      } else {
        field = altered(field);
      }
    });
    CHECK_FALSE(check_record(copy.run).consistent());
    write_file_atomically(file, lines);
  }
}

TEST_CASE("an episode line that is dropped, repeated, moved or edited is found and named") {
  const auto problems_after = [](const std::function<void(Lines&)>& edit) {
    const Copied copy;
    edit_lines(copy.run / "episodes.jsonl", edit);
    return copy.problems();
  };
  const std::string dropped = problems_after([](Lines& lines) { lines.erase(lines.begin() + 4); });
  CHECK(has(dropped, "result.json states 12 episodes, there are 11 lines"));
  CHECK(has(dropped,
            "7 of 11 episode lines are not what the spec and data.json draw; line 5: "
            "index 5, drawn again 4"));
  CHECK(has(problems_after([](Lines& lines) { lines.insert(lines.begin() + 4, lines[4]); }),
            "line 6: index 4, drawn again 5"));
  CHECK(has(problems_after([](Lines& lines) { std::swap(lines[2], lines[3]); }),
            "2 of 12 episode lines are not what the spec and data.json draw; line 3: index 3"));
  CHECK(has(problems_after([](Lines& lines) { lines[7]["query"][0] = 0; }), "line 8: query [0,"));
  CHECK(has(problems_after([](Lines& lines) { lines[7] = 3; }), "episodes.jsonl:8"));
}

TEST_CASE("lines of tasks with another seed are found, though all figures are theirs") {
  // An evaluation of the same weights on other tasks, with the record's seed written over its own.
  const Copied copy;
  const Outcome other = kshot(copy.folder.path(), {"evaluate", copy.run.string(), "--json", "--set",
                                                   "episodes.test.seed=5"});
  REQUIRE(other.code == 0);
  const fs::path evaluation = copy.folder / other.json()["folder"].get<std::string>();
  CHECK(check_record(evaluation).problems == std::vector<std::string>{});
  fs::copy_file(evaluation / "episodes.jsonl", copy.run / "episodes.jsonl",
                fs::copy_options::overwrite_existing);
  edit_json(copy.run / "result.json", [&](Json& result) {
    result["test"] = read_json(evaluation / "result.json")["test"];
    result["test"]["seed"] = 0;
  });
  REQUIRE_NOTHROW(read_recorded_run(copy.run));  // the lines give all figures
  CHECK(has(copy.problems(), "12 of 12 episode lines are not what the spec and data.json draw"));
}

TEST_CASE("a folder of another name than the run's is found") {
  const Copied copy;
  const fs::path renamed = copy.run.parent_path() / "0123456789ab";
  fs::rename(copy.run, renamed);
  const std::vector<std::string> expected{"the folder is called 0123456789ab, the run id is " +
                                          tiny_run().filename().string()};
  CHECK(check_record(renamed).problems == expected);

  const Copied other;
  fs::rename(other.folder / "results/tiny", other.folder / "results/large");
  CHECK(check_record(other.folder / "results/large" / other.run.filename()).problems ==
        std::vector<std::string>{"the folder lies in large, the run's name is tiny"});
}

TEST_CASE("another spec, machine or data set behind the same figures is found") {
  const auto problems_after = [](const char* file, const std::function<void(Json&)>& edit) {
    const Copied copy;
    edit_json(copy.run / file, edit);
    return copy.problems();
  };
  const std::string other_id = "spec.json and env.json give the run id ";
  CHECK(has(problems_after("spec.json", [](Json& spec) { spec["optimizer"]["lr"] = 0.1; }),
            other_id));
  CHECK(has(problems_after("env.json", [](Json& env) { env["libtorch"] = "2.0"; }), other_id));
  CHECK(has(problems_after("env.json", [](Json& env) { env.erase("device"); }),
            "env.json has no device"));
  CHECK(has(problems_after("env.json", [](Json& env) { env["data_sha256"][2] = "ff"; }),
            "data.sha256"));
  CHECK(has(problems_after("env.json", [](Json& env) { env["data_sha256"][0] = "ff"; }), other_id));
  // Fewer images, a class of another name, one less: other tasks would be drawn.
  CHECK(has(problems_after("data.json", [](Json& data) { data["split_scheme"]["name"] = "other"; }),
            "12 of 12 episode lines"));
  CHECK(has(problems_after("data.json", [](Json& data) { data["test_classes"][1]["name"] = "x"; }),
            "test_classes has \"x\""));
  CHECK(has(problems_after("data.json", [](Json& data) { data["images"].back()[2] = 9; }),
            "episode lines are not what the spec and data.json draw"));
  CHECK(has(problems_after("data.json", [](Json& data) { data["images"][0][1] = 5; }),
            "data.json: manifest: "));
}

TEST_CASE("training figures that the log does not give are found") {
  const Copied copy;
  edit_lines(copy.run / "metrics.jsonl", [](Lines& lines) {
    for (Json& line : lines) {
      if (line.contains("validation") && line["iteration"] == 3)
        line["validation"]["accuracy"] = 1.5;
    }
  });
  CHECK(has(copy.problems(), "train.best_validation_accuracy"));
  fs::remove(copy.run / "metrics.jsonl");
  CHECK(check_record(copy.run).consistent());
  CHECK(check_record(copy.run).unchecked ==
        std::vector<std::string>{"training: there is no metrics.jsonl"});
}

TEST_CASE("an older record says less: what cannot be known is said, the rest is checked") {
  const Copied copy;
  edit_json(copy.run / "env.json", [](Json& env) {
    env.erase("data_sha256");
    env.erase("weights_sha256");
  });
  edit_json(copy.run / "data.json", [](Json& data) {
    data.erase("split_scheme");
    data.erase("shape");
  });
  const RecordFindings findings = check_record(copy.run);
  CHECK(findings.problems == std::vector<std::string>{});  // its one data set gives the run id
  CHECK(findings.unchecked ==
        std::vector<std::string>{"test tasks: data.json does not name the split scheme",
                                 "parameters: the shape of the training samples is not stated"});
  edit_json(copy.run / "spec.json", [](Json& spec) { spec["seed"] = 2; });
  CHECK(has(copy.problems(), "spec.json and env.json give the run id"));
}

TEST_CASE("facts of the method are checked by the program that made the record alone") {
  const Copied copy;
  edit_json(copy.run / "result.json", [](Json& result) {
    result["run"]["source_id"] = "ff";
    result["algorithm"]["transductive"] = true;
  });
  const RecordFindings findings = check_record(copy.run);
  CHECK(findings.unchecked.size() == 1);
  CHECK(has(findings.unchecked[0], "made by other sources"));
  CHECK_FALSE(has(copy.problems(), "transductive"));
}

TEST_CASE("what is no record at all is a finding, not an end") {
  for (const char* file : {"result.json", "spec.json", "data.json", "episodes.jsonl"}) {
    CAPTURE(file);
    for (const char* content : {"", "{", "[]", "{}", "null"}) {
      CAPTURE(content);
      const Copied copy;
      write_file_atomically(copy.run / file, content);
      CHECK_FALSE(check_record(copy.run).consistent());
    }
    const Copied copy;
    fs::remove(copy.run / file);
    CHECK_FALSE(check_record(copy.run).consistent());
  }
}

TEST_CASE("what cannot be computed is a finding, too") {
  const Copied copy;
  edit_json(copy.run / "data.json", [](Json& data) { data["shape"] = {1, -3, 0}; });
  CHECK_FALSE(check_record(copy.run).consistent());
  edit_json(copy.run / "env.json", [](Json& env) { env["data_sha256"] = {"ff"}; });
  CHECK(has(copy.problems(), "env.json has 1 data_sha256, expected 3"));
  edit_json(copy.run / "env.json", [](Json& env) { env["data_sha256"] = 3; });
  CHECK(has(copy.problems(), "env.json: data_sha256 is 3, expected a list"));
}

TEST_CASE("tasks of turned classes are drawn again") {
  const TemporaryFolder folder;
  const fs::path run = test::make_tiny_run(
      folder.path(),
      {{"dataset", {{"rotations", "all"}}}, {"train", {{"iterations", 1}, {"validate_every", 0}}}});
  CHECK(read_json(run / "data.json")["test_classes"].size() == 20);
  const RecordFindings findings = check_record(run);
  CHECK(findings.problems == std::vector<std::string>{});
  CHECK(findings.unchecked == std::vector<std::string>{});
}

TEST_CASE("tasks of a split by images are drawn again from its rows") {
  RecordedRun run;
  run.data = {
      {"data", "toy"},
      {"sha256", "aa"},
      {"images", {{"cat", 0, 6}, {"dog", 6, 6}, {"cow", 12, 6}}},
      {"test_classes",
       {{{"name", "cat"}, {"source", 0}},
        {{"name", "dog"}, {"source", 1}},
        {{"name", "cow"}, {"source", 2}}}},
      {"split_scheme", {{"name", "images"}, {"test_rows", {1, 3, 5, 6, 8, 10, 12, 14, 16}}}}};
  run.spec = {{"dataset", {{"name", "pack"}}},
              {"episodes", {{"test", {{"way", 2}, {"shot", 1}, {"query", 2}, {"seed", 0}}}}}};
  const TaskPlan plan = redraw_tasks(run).tasks->plan(0);
  std::vector<int64_t> drawn = plan.support;
  drawn.insert(drawn.end(), plan.query.begin(), plan.query.end());
  const std::vector<int64_t> rows = run.data["split_scheme"]["test_rows"];
  CHECK(drawn.size() == 6);
  for (const int64_t row : drawn) CHECK(std::count(rows.begin(), rows.end(), row) == 1);
}

TEST_CASE("drawn regressions are drawn again, targets and all") {
  const TemporaryFolder folder;
  write_json(folder / "sine.json",
             {{"name", "sine"},
              {"dataset", {{"name", "sinusoid"}}},
              {"episodes",
               {{"train", {{"way", 1}, {"shot", 5}, {"query", 5}}},
                {"validation", {{"way", 1}, {"shot", 5}, {"query", 5}, {"count", 5}}},
                {"test", {{"way", 1}, {"shot", 5}, {"query", 4}, {"count", 12}}}}},
              {"backbone", {{"name", "mlp"}, {"hidden", {8, 8}}}},
              {"algorithm", {{"name", "maml"}, {"inner_steps", 1}}},
              {"train", {{"iterations", 4}, {"meta_batch", 2}, {"validate_every", 2}}}});
  REQUIRE(kshot(folder.path(), {"run", "sine.json", "--device", "cpu"}).code == 0);
  const Copied copy(fs::directory_iterator(folder / "results/sine")->path());
  CHECK(check_record(copy.run).problems == std::vector<std::string>{});
  // Other targets with predictions as wrong as before: every figure is as it was.
  edit_lines(copy.run / "episodes.jsonl", [](Lines& lines) {
    for (const char* list : {"targets", "predictions"}) {
      for (Json& value : lines[2][list]) value = value.get<double>() + 1;
    }
  });
  CHECK(has(copy.problems(), "line 3: targets"));
}

TEST_CASE(
    "kshot leaderboard --verify tells of each record, and exits with 65 where one does not hold") {
  const Copied copy;
  const auto verify = [&](const std::vector<std::string>& more = {}) {
    std::vector<std::string> words{"leaderboard", "--verify"};
    words.insert(words.end(), more.begin(), more.end());
    return kshot(copy.folder.path(), words);
  };
  const Outcome good = verify();
  INFO(good.err);
  CHECK(good.code == 0);
  CHECK(has(good.out, copy.run.filename().string() + ": consistent\n"));
  CHECK(has(good.out, "1 of 1 records consistent"));
  CHECK(has(good.out, "That is not \"true\""));
  CHECK(verify({"--json"}).json()["records"][0]["consistent"] == true);

  edit_json(copy.run / "result.json",
            [](Json& result) { result["test"]["accuracy"]["mean"] = 0.99; });
  const Outcome bad = verify();
  CHECK(bad.code == 65);
  CHECK(has(bad.out, ": NOT consistent\n  result.json states accuracy.mean = 0.99"));
  const Outcome json = verify({"--json"});
  CHECK(json.code == 65);
  CHECK(json.json()["records"][0]["consistent"] == false);
  CHECK(has(json.json()["records"][0]["problems"][0], "accuracy.mean"));

  CHECK(verify({"--format", "html"}).code == 2);
  CHECK(kshot(copy.folder.path(), {"leaderboard", "--verify=twice"}).code == 2);
}

TEST_CASE("--verify=rerun tests the weights again, digit for digit, and says where it cannot") {
  const Copied copy;
  const auto rerun = [&] { return kshot(copy.folder.path(), {"leaderboard", "--verify=rerun"}); };
  const Outcome same = rerun();
  INFO(same.err);
  CHECK(same.code == 0);
  CHECK(has(same.out, "tested again: the same, digit for digit"));
  CHECK(has(same.out, "Tested again: 1 the same digit for digit, 0 not the same, 0 not done."));
  CHECK(test::files_below(copy.run) == test::files_below(tiny_run()));  // nothing is written

  // A line that is consistent in itself, but not what the weights answer: its loss and their mean.
  const std::string lines = read_file(copy.run / "episodes.jsonl");
  edit_lines(copy.run / "episodes.jsonl",
             [](Lines& all) { std::swap(all[1]["loss"], all[2]["loss"]); });
  CHECK(check_record(copy.run).consistent());
  const Outcome swapped = rerun();
  CHECK(swapped.code == 65);
  CHECK(has(swapped.out,
            "tested again: NOT the same\n    episodes.jsonl: 2 of 12 lines, the first "
            "is line 2: loss"));
  CHECK_FALSE(has(swapped.out, "other digits may come of this"));
  // As above, of a record that says it was made on another processor.
  edit_json(copy.run / "env.json", [](Json& env) { env["cpu"] = "Abacus"; });
  CHECK(has(rerun().out,
            "other digits may come of this: (the record was made by other processor: "
            "Abacus, now "));
  write_file_atomically(copy.run / "episodes.jsonl", lines);

  fs::remove_all(copy.run / "checkpoints");
  const Outcome without = rerun();
  CHECK(without.code == 0);
  CHECK(has(without.out, "not tested again: "));
  CHECK(has(without.out, "best.safetensors: not there"));
  const Json json = kshot(copy.folder.path(), {"leaderboard", "--verify=rerun", "--json"}).json();
  CHECK(json["records"][0]["rerun"]["outcome"] == "not rerun");
  CHECK(has(json["records"][0]["rerun"]["details"][0], "best.safetensors"));
}

TEST_CASE("the published records are consistent") {
  const RunFolders found = find_run_folders({fs::path(KSHOT_SOURCE_DIR) / "results/published"});
  REQUIRE(found.finished.size() > 10);
  CHECK(found.unfinished.empty());
  for (const fs::path& folder : found.finished) {
    CAPTURE(folder);
    CHECK(check_record(folder).problems == std::vector<std::string>{});
  }
}

}  // namespace kshot::verification_test
