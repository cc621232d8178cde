#include "experiments/recorded_run.h"

#include <archive.h>
#include <archive_entry.h>

#include <array>
#include <cmath>
#include <map>
#include <memory>
#include <sstream>

#include "framework/base/atomic_file.h"
#include "framework/base/error.h"
#include "framework/run/score.h"

namespace kshot {
namespace {

namespace fs = std::filesystem;

/// Intervals go through a quantile that another compiler may round differently in the last digits.
constexpr double kTolerance = 1e-9;

Json read_object(const fs::path& path) {
  Json json = Json::parse(read_file(path), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) throw Error(Exit::bad_data, "{}: not a JSON object", path.string());
  return json;
}

/// The text of a gzip file. Its checksum does not matter: every figure is derived again.
std::string read_gzip(const fs::path& path) {
  const std::unique_ptr<archive, decltype(&archive_read_free)> reader(archive_read_new(),
                                                                      &archive_read_free);
  archive_read_support_filter_gzip(reader.get());
  archive_read_support_format_raw(reader.get());
  archive_entry* entry = nullptr;
  std::string text;
  std::array<char, 1 << 16> buffer;
  bool good = archive_read_open_filename(reader.get(), path.c_str(), buffer.size()) == ARCHIVE_OK &&
              archive_read_next_header(reader.get(), &entry) == ARCHIVE_OK;
  while (good) {
    const auto got = archive_read_data(reader.get(), buffer.data(), buffer.size());
    if (got == 0) return text;
    good = got > 0;
    if (good) text.append(buffer.data(), static_cast<size_t>(got));
  }
  throw Error(Exit::bad_data, "{}: cannot be unpacked: {}", path.string(),
              archive_error_string(reader.get()));
}

/// The tasks of a record, for their hash; there are no pixels to load.
class RecordedTasks final : public TaskSource {
 public:
  RecordedTasks(const std::vector<EpisodeOutcome>& outcomes, const std::vector<TaskClass>& classes)
      : outcomes_(outcomes), classes_(classes) {}

  TaskPlan plan(uint64_t index) const override { return outcomes_.at(index).plan; }
  Episodes load(std::span<const TaskPlan>) const override {
    throw Error(Exit::internal, "a record holds no pixels");
  }
  Shapes shapes() const override { return {}; }
  const std::vector<TaskClass>& classes() const override { return classes_; }

 private:
  const std::vector<EpisodeOutcome>& outcomes_;
  const std::vector<TaskClass>& classes_;
};

/// The test classes of the data set with this hash.
std::vector<TaskClass> classes_in(const Json& data, const std::string& sha256) {
  if (data.value("sha256", "") != sha256) {
    throw Error(Exit::bad_data, "data.json is of another data set than result.json");
  }
  std::vector<TaskClass> classes;
  for (const Json& item : data.at("test_classes")) {
    classes.push_back({item.at("name").get<std::string>(), item.at("source").get<int64_t>()});
  }
  return classes;
}

TaskDefinition definition_of(const Json& result) {
  const Json &data = result.at("data"), &test = result.at("test");
  return {.data = data.at("name"),
          .data_sha256 = data.at("sha256"),
          .split = test.value("split", "test"),
          .way = test.at("way"),
          .shot = test.at("shot"),
          .query = test.at("query"),
          .episodes = test.at("episodes"),
          .episodes_sha256 = test.at("episodes_sha256"),
          .kind = test.contains("error") ? TaskKind::regression : TaskKind::classification};
}

int64_t count(const auto& list) { return static_cast<int64_t>(list.size()); }

/// What a line states of its task must be what its predictions give.
void check_score(const EpisodeOutcome& outcome, const char* name, double stated, double derived) {
  if (std::abs(stated - derived) <= kTolerance * std::max(1.0, std::abs(derived))) return;
  throw Error(Exit::bad_data, "episode {} states {} {:.6g}, its predictions give {:.6g}",
              outcome.plan.index, name, stated, derived);
}

bool classification_fits(const EpisodeOutcome& outcome, const TaskDefinition& tasks,
                         size_t classes) {
  const TaskPlan& plan = outcome.plan;
  const auto known = [&](int64_t c) { return c >= 0 && c < static_cast<int64_t>(classes); };
  return plan.outputs == tasks.way && count(plan.classes) == tasks.way &&
         std::all_of(plan.classes.begin(), plan.classes.end(), known) &&
         count(plan.support) == tasks.way * tasks.shot &&
         count(plan.query) == tasks.way * tasks.query &&
         count(plan.query_labels) == count(plan.query) &&
         count(outcome.predictions) == count(plan.query);
}

bool regression_fits(const EpisodeOutcome& outcome, const TaskDefinition& tasks) {
  const TaskPlan& plan = outcome.plan;
  const RegressionAnswers& answers = *outcome.regression;
  return count(plan.support) == tasks.shot && count(plan.query) == tasks.query &&
         count(answers.predictions) == tasks.query * plan.outputs &&
         count(answers.targets) == count(answers.predictions) && !answers.targets.empty() &&
         !answers.mse_by_step.empty();
}

void check_accuracy(const EpisodeOutcome& outcome) {
  int64_t right = 0;
  for (size_t i = 0; i < outcome.predictions.size(); ++i)
    right += outcome.predictions[i] == outcome.plan.query_labels[i];
  const double accuracy =
      right == 0 ? 0 : static_cast<double>(right) / static_cast<double>(outcome.predictions.size());
  check_score(outcome, "accuracy", outcome.accuracy, accuracy);
}

void check_error(const EpisodeOutcome& outcome) {
  check_score(outcome, "mse", outcome.loss, mean_squared_error(*outcome.regression));
  check_score(outcome, "mse of the last step", outcome.regression->mse_by_step.back(),
              outcome.loss);
}

/// Checks one line in itself: a task of the stated shape, and a score that its predictions give.
void check_line(const EpisodeOutcome& outcome, const TaskDefinition& tasks, size_t classes) {
  const bool regression = outcome.regression.has_value();
  const bool fits =
      regression == (tasks.kind == TaskKind::regression) &&
      (regression ? regression_fits(outcome, tasks) : classification_fits(outcome, tasks, classes));
  if (!fits)
    throw Error(Exit::bad_data, "episode {} is not a task of the shape that result.json states",
                outcome.plan.index);
  if (regression) {
    check_error(outcome);
  } else {
    check_accuracy(outcome);
  }
}

/// "mean" -> value, "by_step.0.mean" -> value.
std::map<std::string, Json> figures_in(const Json& block) {
  std::map<std::string, Json> figures;
  const Json flat = block.flatten();
  for (const auto& [pointer, value] : flat.items()) {
    std::string path = pointer.empty() ? pointer : pointer.substr(1);
    std::replace(path.begin(), path.end(), '/', '.');
    figures[path] = value;
  }
  return figures;
}

/// Every figure of `derived` must stand in `stated`, and no other.
void check_block(const std::string& name, const Json& derived_block, const Json& stated_block) {
  auto derived = figures_in(derived_block), stated = figures_in(stated_block);
  for (const auto& [key, value] : derived) {
    const double expected = value;
    if (!stated.contains(key) || !stated[key].is_number()) {
      throw Error(Exit::bad_data, "result.json has no {}.{}; the episode lines give {:.6g}", name,
                  key, expected);
    }
    const double found = stated[key];
    if (!(std::abs(found - expected) <= kTolerance * std::max(1.0, std::abs(expected)))) {
      throw Error(Exit::bad_data,
                  "result.json states {}.{} = {:.6g}, the episode lines give {:.6g}", name, key,
                  found, expected);
    }
  }
  for (const auto& [key, value] : stated) {
    if (!derived.contains(key)) {
      throw Error(Exit::bad_data, "result.json states {}.{}, which the episode lines do not give",
                  name, key);
    }
  }
}

/// What the lines say, checked against what result.json states.
Evaluation derived_evaluation(const RecordedRun& run, std::vector<EpisodeOutcome> lines,
                              const std::vector<TaskClass>& classes) {
  if (lines.empty() || static_cast<int64_t>(lines.size()) != run.tasks.episodes) {
    throw Error(Exit::bad_data, "result.json states {} episodes, there are {} lines",
                run.tasks.episodes, lines.size());
  }
  for (const EpisodeOutcome& line : lines) check_line(line, run.tasks, classes.size());
  Evaluation evaluation;
  evaluation.episodes = std::move(lines);
  evaluation.episodes_sha256 =
      plans_sha256(RecordedTasks(evaluation.episodes, classes), run.tasks.episodes);
  if (evaluation.episodes_sha256 != run.tasks.episodes_sha256) {
    throw Error(Exit::bad_data, "the episode lines hold other tasks than episodes_sha256 says");
  }
  summarise(evaluation, classes);
  const Json& test = run.result.at("test");
  const Json figures = figures_block(evaluation);
  for (const auto& [name, block] : figures.items()) check_block(name, block, test.at(name));
  return evaluation;
}

RecordedRun read_unguarded(const fs::path& folder) {
  RecordedRun run;
  run.folder = folder;
  run.result = read_object(folder / "result.json");
  run.spec = read_object(folder / "spec.json");
  run.env = fs::exists(folder / "env.json") ? read_object(folder / "env.json") : Json::object();
  run.data = read_object(folder / "data.json");
  const Json& block = run.result.at("run");
  run.id = block.at("id");
  run.name = block.at("name");
  run.seed = block.at("seed");
  run.tasks = definition_of(run.result);
  const std::vector<TaskClass> classes = classes_in(run.data, run.tasks.data_sha256);
  const Evaluation evaluation = derived_evaluation(run, read_episode_lines(folder), classes);
  run.scores = score_values(evaluation);
  run.sources = source_lists(evaluation.episodes, classes);
  run.score = score_summary(evaluation);
  run.ci95_classes = evaluation.ci95_classes;
  return run;
}

}  // namespace

std::string title_of(const TaskDefinition& tasks) {
  const char* queries = tasks.query == 1 ? "query" : "queries";
  if (tasks.kind == TaskKind::regression) {
    return fmt::format("{} {}: {}-shot regression, {} {}, {} episodes", tasks.data, tasks.split,
                       tasks.shot, tasks.query, queries, tasks.episodes);
  }
  return fmt::format("{} {}: {}-way {}-shot, {} {} a class, {} episodes", tasks.data, tasks.split,
                     tasks.way, tasks.shot, tasks.query, queries, tasks.episodes);
}

std::string differences(const TaskDefinition& first, const TaskDefinition& second) {
  std::vector<std::string> found;
  const auto compare = [&](const char* what, const auto& a, const auto& b) {
    if (a != b) found.push_back(fmt::format("{} {} and {}", what, a, b));
  };
  const auto digits = [](const std::string& sha) { return sha.substr(0, 12); };
  compare("data", first.data, second.data);
  if (first.data == second.data)
    compare("data sha256", digits(first.data_sha256), digits(second.data_sha256));
  compare("split", first.split, second.split);
  compare("way", first.way, second.way);
  compare("shot", first.shot, second.shot);
  compare("query", first.query, second.query);
  compare("episodes", first.episodes, second.episodes);
  // Where all else is equal, other seeds or rotations drew other tasks.
  if (found.empty())
    compare("episodes sha256", digits(first.episodes_sha256), digits(second.episodes_sha256));
  return fmt::format("{}", fmt::join(found, "; "));
}

std::string RecordedRun::label() const { return fmt::format("{} ({}, seed {})", name, id, seed); }

std::vector<EpisodeOutcome> read_episode_lines(const fs::path& folder) {
  const fs::path plain = folder / "episodes.jsonl", packed = folder / "episodes.jsonl.gz";
  if (fs::exists(plain) || !fs::exists(packed)) return read_outcomes(plain);
  std::vector<EpisodeOutcome> outcomes;
  std::istringstream text(read_gzip(packed));
  for (std::string line; std::getline(text, line);) {
    const std::string where = fmt::format("{}:{}", packed.string(), outcomes.size() + 1);
    outcomes.push_back(outcome_from_json(Json::parse(line, nullptr, false), where));
  }
  return outcomes;
}

bool is_recorded_run(const fs::path& folder) { return fs::is_regular_file(folder / "result.json"); }

RecordedRun read_recorded_run(const fs::path& folder) {
  try {
    return read_unguarded(folder);
  } catch (const Json::exception& problem) {
    throw Error(Exit::bad_data, "{}: not a record: {}", folder.string(), problem.what());
  } catch (const Error& problem) {
    const std::string message = problem.what();
    if (message.starts_with(folder.string())) throw;
    throw Error(problem.code(), "{}: {}", folder.string(), message);
  }
}

}  // namespace kshot
