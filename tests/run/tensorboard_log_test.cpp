#include "framework/run/tensorboard_log.h"

#include <chrono>
#include <fstream>
#include <sstream>

#include "framework/base/error.h"
#include "framework/run/trainer.h"
#include "tests/base/caught.h"
#include "tests/base/full_disk.h"
#include "tests/base/temporary_folder.h"
#include "tests/doctest_torch.h"
#include "tests/run/event_file.h"
#include "tests/run/scripted.h"

namespace kshot::tensorboard_log_test {

namespace fs = std::filesystem;
using test::caught;
using test::ReadEvent;
using test::TemporaryFolder;
using Scalars = std::map<std::string, float>;

double seconds_since_1970() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

Json training_line(int64_t iteration, double loss, const std::string& phase = "train") {
  return {{"phase", phase},
          {"iteration", iteration},
          {"train", {{"loss", loss}, {"accuracy", 0.5}}},
          {"lr", 0.25},
          {"time", {{"seconds", 10.0 * static_cast<double>(iteration)}, {"tasks_per_second", 2}}}};
}

/// Writes metrics.jsonl in `folder`; returns its path.
fs::path write_metrics(const TemporaryFolder& folder, const std::vector<Json>& lines) {
  std::string text;
  for (const Json& line : lines) text += line.dump() + "\n";
  write_file_atomically(folder / "metrics.jsonl", text);
  return folder / "metrics.jsonl";
}

/// Names of event files, in the order in which TensorBoard reads them.
std::vector<fs::path> event_files(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

/// The points of the last file, of which there is one that is not empty.
std::vector<ReadEvent> points_in(const fs::path& folder) {
  const std::vector<fs::path> files = event_files(folder);
  for (size_t i = 0; i + 1 < files.size(); ++i) CHECK(fs::file_size(files[i]) == 0);
  std::vector<ReadEvent> events = test::read_event_file(files.back());
  REQUIRE(events.size() >= 2);
  CHECK(events[0].version == "brain.Event:2");
  CHECK(events[1].restart);
  events.erase(events.begin(), events.begin() + 2);
  return events;
}

TEST_CASE("every number of a line is a point under its path, at the line's iteration") {
  const TemporaryFolder folder;
  TensorboardLog log(folder / "tensorboard", write_metrics(folder, {}));
  log.append(training_line(3, 1.5));
  log.append({{"phase", "train"},
              {"iteration", 4},
              {"validation", {{"loss", 0.75}, {"by", {{"step", 7}}}, {"note", "text"}}},
              {"time", {{"seconds", 31}}}});
  const std::vector<ReadEvent> points = points_in(folder / "tensorboard");
  REQUIRE(points.size() == 2);
  CHECK(points[0].step == 3);
  CHECK(points[0].scalars == Scalars{{"train/loss", 1.5},
                                     {"train/accuracy", 0.5},
                                     {"lr", 0.25},
                                     {"time/seconds", 30},
                                     {"time/tasks_per_second", 2}});
  CHECK(points[1].step == 4);
  CHECK(points[1].scalars ==
        Scalars{{"validation/loss", 0.75}, {"validation/by/step", 7}, {"time/seconds", 31}});
}

TEST_CASE("the phase retrain, whose iterations begin anew, has curves of its own") {
  const TemporaryFolder folder;
  TensorboardLog log(folder / "tensorboard", write_metrics(folder, {training_line(8, 1)}));
  log.append(training_line(1, 2, "retrain"));
  const std::vector<ReadEvent> points = points_in(folder / "tensorboard");
  REQUIRE(points.size() == 2);
  CHECK(points[1].step == 1);
  CHECK(points[1].scalars.at("retrain/train/loss") == 2);
  CHECK(points[1].scalars.count("train/loss") == 0);
}

TEST_CASE("a loss that is not a number makes no point, as it makes none when it is read back") {
  const TemporaryFolder folder;
  TensorboardLog log(folder / "tensorboard", write_metrics(folder, {training_line(1, NAN)}));
  log.append(training_line(2, INFINITY));
  for (const ReadEvent& point : points_in(folder / "tensorboard")) {
    CHECK(point.scalars.count("train/loss") == 0);
    CHECK(point.scalars.at("train/accuracy") == 0.5);
  }
}

TEST_CASE("a log that is opened anew shows the lines that are left, whatever its old file holds") {
  const TemporaryFolder folder;
  const std::vector<Json> lines{training_line(1, 4), training_line(2, 3), training_line(3, 2)};
  {
    TensorboardLog log(folder / "tensorboard", write_metrics(folder, {}));
    for (const Json& line : lines) log.append(line);
  }
  const fs::path old = event_files(folder / "tensorboard").at(0);
  fs::resize_file(old, fs::file_size(old) - 5);  // torn by a kill
  std::ofstream(folder / "tensorboard" / "notes.txt") << "somebody's";
  TensorboardLog log(folder / "tensorboard", write_metrics(folder, {lines[0], lines[1]}));
  log.append(training_line(3, 7));
  CHECK(read_file(folder / "tensorboard" / "notes.txt") == "somebody's");
  fs::remove(folder / "tensorboard" / "notes.txt");
  CHECK(event_files(folder / "tensorboard").size() == 2);
  const std::vector<ReadEvent> points = points_in(folder / "tensorboard");
  REQUIRE(points.size() == 3);
  for (size_t i = 0; i < 3; ++i) {
    CHECK(points[i].step == i + 1);
    CHECK(points[i].scalars.at("train/loss") == std::vector<float>{4, 3, 7}.at(i));
  }
}

TEST_CASE("times of day are those of a training without a break that has come here by now") {
  const TemporaryFolder folder;
  const double before = seconds_since_1970();
  TensorboardLog log(folder / "tensorboard",
                     write_metrics(folder, {training_line(1, 4), training_line(5, 3)}));
  const double after = seconds_since_1970();
  log.append(training_line(6, 2));
  const std::vector<ReadEvent> points = points_in(folder / "tensorboard");
  REQUIRE(points.size() == 3);
  CHECK(points[1].wall_time >= before - 1e-5);
  CHECK(points[1].wall_time <= after + 1e-5);
  CHECK(points[0].wall_time == doctest::Approx(points[1].wall_time - 40).epsilon(1e-12));
  CHECK(points[2].wall_time == doctest::Approx(points[1].wall_time + 10).epsilon(1e-12));
}

TEST_CASE("a line that is none of metrics.jsonl's is refused by file and number") {
  const std::string deep = "{\"phase\":\"train\",\"iteration\":1,\"time\":{\"seconds\":1},\"a\":" +
                           std::string(1000000, '[') + std::string(1000000, ']') + "}";
  for (const std::string& line :
       {std::string("{"), std::string("[]"), std::string("{\"phase\":\"train\",\"iteration\":1}"),
        std::string("{\"phase\":\"train\",\"iteration\":\"1\",\"time\":{\"seconds\":1}}"),
        std::string("{\"phase\":\"train\",\"iteration\":1,\"time\":{\"seconds\":null}}"),
        std::string("{\"phase\":1,\"iteration\":1,\"time\":{\"seconds\":1}}"),
        std::string("{\"phase\":\"train\",\"iteration\":1,\"time\":1}"), deep}) {
    CAPTURE(line.substr(0, 100));
    const TemporaryFolder folder;
    write_file_atomically(folder / "metrics.jsonl", training_line(1, 1).dump() + "\n" + line);
    const auto error =
        caught([&] { TensorboardLog(folder / "tensorboard", folder / "metrics.jsonl"); });
    REQUIRE(error);
    CHECK(error->code() == Exit::bad_data);
    CHECK(std::string(error->what()).find("metrics.jsonl: line 2 ") != std::string::npos);
    CHECK_FALSE(fs::exists(folder / "tensorboard"));
  }
}

TEST_CASE("a full disk and a folder that cannot be made are the disk's fault") {
  const TemporaryFolder folder;
  const fs::path metrics = write_metrics(folder, {});
  TensorboardLog log(folder / "tensorboard", metrics);
  std::optional<Error> error;
  {
    const test::FullDisk full(100);
    error = caught([&] { log.append(training_line(1, 1)); });
  }
  REQUIRE(error);
  CHECK(error->code() == Exit::io);
  CHECK(std::string(error->what()).find("File too large") != std::string::npos);
  error = caught([&] { TensorboardLog(metrics / "below", metrics); });
  REQUIRE(error);
  CHECK(error->code() == Exit::io);
}

// ---- within a training

/// Every step's loss is its iteration plus `more`; at iteration `kill` the run ends as by a kill.
test::ScriptedAlgorithm counting(double more, int64_t kill) {
  test::ScriptedAlgorithm script;
  script.initial = test::one_weight();
  script.on_learn = [=](const ParamList&, const Episodes& tasks, const Context& context) {
    if (context.iteration == kill) throw std::runtime_error("killed");
    return test::learned(torch::zeros({1}), tasks.tasks(),
                         static_cast<double>(context.iteration) + more, 0.5);
  };
  script.on_logits = [](const ParamList&, const Tensor& query, const Context&) {
    return test::right_for(query, 6, 2);
  };
  return script;
}

/// A checkpoint at iterations 3 and 6, a line of metrics at each.
Training training_of(const test::ScriptedAlgorithm& script, const TemporaryFolder& folder) {
  Training training;
  training.algorithm = &script;
  training.train = training.validation = std::make_shared<test::ScriptedSource>();
  training.validation_tasks = 2;
  training.options.iterations = 6;
  training.options.validate_every = 3;
  training.optimizer.name = "sgd";
  training.log_every = 1;
  training.tensorboard = true;
  training.folder = folder.path();
  training.quiet = true;
  return training;
}

void train_once(const Training& training) {
  TaskEngine engine(1);
  train(engine, training);
}

/// What the event file must show: metrics.jsonl read without the class under test.
std::vector<std::pair<uint64_t, Scalars>> expected_points(const TemporaryFolder& folder) {
  std::istringstream text(read_file(folder / "metrics.jsonl"));
  std::vector<std::pair<uint64_t, Scalars>> points;
  for (std::string line; std::getline(text, line);) {
    const Json json = Json::parse(line);
    Scalars scalars;
    for (const std::string block : {"train", "validation", "time"}) {
      if (!json.contains(block)) continue;
      for (const auto& [key, value] : json[block].items()) scalars[block + "/" + key] = value;
    }
    if (json.contains("lr")) scalars["lr"] = json["lr"];
    points.emplace_back(json["iteration"], scalars);
  }
  return points;
}

void check_same_as_metrics(const TemporaryFolder& folder) {
  const auto expected = expected_points(folder);
  const std::vector<ReadEvent> points = points_in(folder / "tensorboard");
  REQUIRE(points.size() == expected.size());
  for (size_t i = 0; i < points.size(); ++i) {
    CHECK(points[i].step == expected[i].first);
    CHECK(points[i].scalars == expected[i].second);
  }
}

TEST_CASE("a training's event file says what its metrics.jsonl says; without the option is none") {
  const test::ScriptedAlgorithm script = counting(0, -1);
  const TemporaryFolder folder, without;
  train_once(training_of(script, folder));
  check_same_as_metrics(folder);
  CHECK(points_in(folder / "tensorboard").size() == 8);
  Training plain = training_of(script, without);
  plain.tensorboard = false;
  train_once(plain);
  CHECK(without.names() == std::set<std::string>{"checkpoints", "metrics.jsonl"});
}

TEST_CASE("after a kill and a resume no point stands twice, none of the lost steps' is left") {
  for (const bool from_the_start : {true, false}) {
    CAPTURE(from_the_start);
    const test::ScriptedAlgorithm killed = counting(0, 5), whole = counting(100, -1);
    const TemporaryFolder folder;
    Training training = training_of(killed, folder);
    training.tensorboard = from_the_start;  // it may also be asked for on resume alone
    CHECK_THROWS_WITH(train_once(training), "killed");
    if (from_the_start) CHECK(points_in(folder / "tensorboard").size() == 6);  // 1 to 5, and at 3
    Training rest = training_of(whole, folder);
    rest.resume = true;
    train_once(rest);
    check_same_as_metrics(folder);
    const std::vector<ReadEvent> points = points_in(folder / "tensorboard");
    REQUIRE(points.size() == 8);
    CHECK(points[0].scalars.at("train/loss") == 0);    // of the first run
    CHECK(points[4].scalars.at("train/loss") == 103);  // iteration 4, done again
  }
}

}  // namespace kshot::tensorboard_log_test
