// kshot run --no-test: a training that leaves its validation score and no record.
#include "experiments/records/validation_record.h"

#include <cmath>

#include "framework/base/atomic_file.h"
#include "tests/base/caught.h"
#include "tests/base/temporary_folder.h"
#include "tests/doctest_torch.h"
#include "tests/experiments/program.h"

namespace kshot::validation_record_test {

namespace fs = std::filesystem;
using test::kshot;
using test::Outcome;
using test::TemporaryFolder;

Json read_json(const fs::path& path) { return Json::parse(read_file(path)); }

fs::path only_folder_in(const fs::path& folder) { return fs::directory_iterator(folder)->path(); }

TEST_CASE("--no-test leaves a validation score; the same command with --resume tests and records") {
  const TemporaryFolder folder;
  const fs::path whole = test::make_tiny_run(folder.path());
  const std::vector<std::string> command{"run", "tiny.json", "--device",
                                         "cpu", "--results", "other"};
  const auto with = [&](const std::string& option) {
    std::vector<std::string> words = command;
    words.push_back(option);
    return kshot(folder.path(), words);
  };
  const Outcome trained = with("--no-test");
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  const RunFolder run(only_folder_in(folder / "other" / "tiny"));
  CHECK_FALSE(run.finished());
  CHECK_FALSE(fs::exists(run.file("episodes.jsonl")));
  const Json expected = read_json(whole / "result.json");
  const auto validation = find_validation(run);
  REQUIRE(validation.has_value());
  CHECK(validation->accuracy == expected["train"]["best_validation_accuracy"].get<double>());
  CHECK(validation->loss == expected["train"]["best_validation_loss"].get<double>());
  CHECK(validation->iteration == expected["train"]["best_iteration"].get<int64_t>());
  CHECK(validation->iterations == 6);
  CHECK(trained.out.find(validation_text(*validation) + "; not tested") != std::string::npos);
  // A finished record says the same.
  CHECK(find_validation(RunFolder(whole))->score() == validation->score());

  const Outcome tested = with("--resume");
  INFO(tested.err);
  CHECK(tested.code == 0);
  CHECK(read_json(run.file("result.json"))["test"] == expected["test"]);
  CHECK(with("--no-test").out.starts_with("already done"));
}

TEST_CASE("an algorithm that learns nothing answers the validation tasks") {
  const TemporaryFolder folder;
  const Json changes{{"algorithm", {{"name", "nearest_pixel"}}}};
  test::write_tiny_spec(folder.path(), "tiny", changes);
  const Outcome outcome =
      kshot(folder.path(), {"run", "tiny.json", "--no-test", "--device", "cpu"});
  INFO(outcome.err);
  REQUIRE(outcome.code == 0);
  const RunFolder run(only_folder_in(folder / "results" / "tiny"));
  const auto validation = find_validation(run);
  REQUIRE(validation.has_value());
  CHECK(validation->accuracy.has_value());
  CHECK(validation->iterations == 0);
  CHECK_FALSE(run.finished());

  // Five tasks of six queries: the score is a number of thirtieths.
  const double thirtieths = *validation->accuracy * 30;
  CHECK(thirtieths == doctest::Approx(std::round(thirtieths)));

  // Tested by a plain run, then asked again: what was said stays, or is made up for.
  CHECK(kshot(folder.path(), {"run", "tiny.json", "--device", "cpu"}).code == 0);
  const std::string record = read_file(run.file("result.json"));
  fs::remove(run.file("validation.json"));
  CHECK_FALSE(find_validation(run).has_value());
  CHECK(kshot(folder.path(), {"run", "tiny.json", "--no-test", "--device", "cpu"}).code == 0);
  CHECK(find_validation(run)->accuracy == validation->accuracy);
  CHECK(read_file(run.file("result.json")) == record);
}

TEST_CASE("a regression's score is its loss, and a training without validations has none") {
  const TemporaryFolder folder;
  const Json loss{{"loss", 0.25}, {"iteration", 4}, {"iterations", 8}, {"seconds", 1.5}};
  write_file_atomically(folder / "validation.json", loss.dump());
  const auto regression = find_validation(RunFolder(folder.path()));
  CHECK(regression->score() == 0.25);
  CHECK(validation_text(*regression) == "validation mse 0.25 at iteration 4");
  write_file_atomically(folder / "validation.json", R"({"iteration": 8, "iterations": 8})");
  const auto none = find_validation(RunFolder(folder.path()));
  CHECK_FALSE(none->score().has_value());
  CHECK(validation_text(*none) == "no validation");
}

TEST_CASE("a damaged validation.json is named") {
  const TemporaryFolder folder;
  write_file_atomically(folder / "validation.json", R"({"accuracy": )");
  const auto error = test::caught([&] { find_validation(RunFolder(folder.path())); });
  REQUIRE(error.has_value());
  CHECK(error->code() == Exit::bad_data);
  CHECK(std::string(error->what()).find("validation.json") != std::string::npos);
}

TEST_CASE("what --no-test cannot go with is refused") {
  const TemporaryFolder folder;
  test::write_tiny_spec(folder.path(), "tiny", {{"sweep", {{"seed", {1, 2}}}}});
  const Outcome sweep = kshot(folder.path(), {"run", "tiny.json"});
  CHECK(sweep.code == 2);
  CHECK(sweep.one_line_error());
  CHECK(sweep.err.find("kshot sweep") != std::string::npos);
  const Outcome again =
      kshot(folder.path(), {"run", "tiny.json", "--set", "sweep=null", "--again", "--no-test"});
  CHECK(again.code == 2);
  CHECK(again.one_line_error());
  CHECK(test::files_below(folder.path()) == std::vector<std::string>{"tiny.json"});
}

}  // namespace kshot::validation_record_test
