#include "experiments/verification/record_check.h"

#include <functional>

#include "experiments/records/episode_lines.h"
#include "experiments/records/recorded_run.h"
#include "experiments/records/run_folder.h"
#include "experiments/records/training_log.h"
#include "experiments/verification/redrawn_tasks.h"
#include "framework/base/error.h"
#include "framework/run/build_info.h"

namespace kshot {
namespace {

namespace fs = std::filesystem;

class RecordCheck {
 public:
  explicit RecordCheck(const fs::path& folder) : findings_{.folder = folder} {}

  RecordFindings findings() {
    attempt([&] { run_ = read_statements(findings_.folder); });
    if (run_.result.is_null()) return findings_;
    findings_.label = run_.label();
    attempt([&] { read_recorded_run(findings_.folder); });
    attempt([&] { check_place(); });
    attempt([&] { check_id(); });
    attempt([&] { check_tasks(); });
    attempt([&] { check_repetitions(); });
    attempt([&] { check_training(); });
    attempt([&] { check_method(); });
    return findings_;
  }

 private:
  /// One check; what stops it is a finding.
  void attempt(const std::function<void()>& check) {
    try {
      check();
    } catch (const Json::exception& problem) {
      findings_.problems.push_back(fmt::format("not a record: {}", problem.what()));
    } catch (const c10::Error& problem) {
      findings_.problems.push_back(
          fmt::format("cannot be computed: {}", problem.what_without_backtrace()));
    } catch (const Error& problem) {
      // The findings stand below the folder's name already.
      const std::string message = problem.what(), prefix = findings_.folder.string() + ": ";
      findings_.problems.push_back(message.starts_with(prefix) ? message.substr(prefix.size())
                                                               : message);
    }
  }

  template <class... Args>
  void contradiction(fmt::format_string<Args...> format, Args&&... args) {
    findings_.problems.push_back(fmt::format(format, std::forward<Args>(args)...));
  }
  template <class... Args>
  void not_checked(fmt::format_string<Args...> format, Args&&... args) {
    findings_.unchecked.push_back(fmt::format(format, std::forward<Args>(args)...));
  }

  /// A statement of result.json, by its path, against what another file gives; null: nothing.
  void expect(const std::string& path, const char* giver, const Json& given) {
    std::string pointer = "/" + path;
    std::replace(pointer.begin(), pointer.end(), '.', '/');
    const Json stated = run_.result.value(Json::json_pointer(pointer), Json());
    if (stated == given) return;
    const auto text = [](const Json& value) { return value.is_null() ? "nothing" : value.dump(); };
    contradiction("result.json states {} = {}, {} gives {}", path, text(stated), giver,
                  text(given));
  }

  bool is_evaluation() const { return run_.result.contains("evaluation"); }

  void check_place() {
    const fs::path folder = fs::weakly_canonical(findings_.folder);
    if (folder.filename() != run_.id)
      contradiction("the folder is called {}, the run id is {}", folder.filename().string(),
                    run_.id);
    const fs::path above = folder.parent_path().filename();
    if (!is_evaluation() && above != run_.name)
      contradiction("the folder lies in {}, the run's name is {}", above.string(), run_.name);
  }

  void check_id() {
    Json env = run_.env;
    const auto hashes = data_hashes(run_);
    if (!hashes) {
      not_checked("run id: env.json does not state the hashes of the several data sets");
      return;
    }
    env["data_sha256"] = *hashes;
    if (!env.contains("weights_sha256")) env["weights_sha256"] = Json::array();
    if (const std::string id = recorded_run_id(run_.spec, env); id != run_.id)
      contradiction("spec.json and env.json give the run id {}, result.json states {}", id,
                    run_.id);
  }

  /// Draws the tasks again. The first line that differs is named, and how many do.
  void check_tasks() {
    if (const std::string obstacle = obstacle_to_redraw(run_); !obstacle.empty()) {
      not_checked("test tasks: {}", obstacle);
      return;
    }
    const RedrawnTasks redrawn = redraw_tasks(run_);
    const std::vector<EpisodeOutcome> lines = read_episode_lines(findings_.folder);
    std::string first;
    int64_t differing = 0;
    for (size_t i = 0; i < lines.size(); ++i) {
      const std::string difference = line_difference(redrawn, lines[i], i);
      if (difference.empty()) continue;
      if (++differing == 1) first = fmt::format("line {}: {}", i + 1, difference);
    }
    if (differing > 0)
      contradiction("{} of {} episode lines are not what the spec and data.json draw; {}",
                    differing, lines.size(), first);
  }

  /// What of a line is not as it is drawn; empty if nothing.
  static std::string line_difference(const RedrawnTasks& redrawn, const EpisodeOutcome& line,
                                     size_t index) {
    const TaskPlan plan = redrawn.tasks->plan(index);
    const TaskPlan& stated = line.plan;
    const auto differs = [](const char* what, const auto& stated_value, const auto& drawn) {
      return fmt::format("{} {}, drawn again {}", what, Json(stated_value).dump(),
                         Json(drawn).dump());
    };
    if (stated.index != plan.index) return differs("index", stated.index, plan.index);
    if (stated.classes != plan.classes) return differs("classes", stated.classes, plan.classes);
    if (stated.support != plan.support) return differs("support", stated.support, plan.support);
    if (stated.query != plan.query) return differs("query", stated.query, plan.query);
    if (stated.values != plan.values) return differs("values", stated.values, plan.values);
    if (stated != plan) return "outputs or labels";
    return line.regression && redrawn.loadable ? targets_difference(redrawn, plan, line) : "";
  }

  static std::string targets_difference(const RedrawnTasks& redrawn, const TaskPlan& plan,
                                        const EpisodeOutcome& line) {
    // A sine may be rounded otherwise by another mathematical library.
    constexpr double kTolerance = 1e-5;
    const Tensor drawn = redrawn.tasks->load({&plan, 1}).query.targets.flatten().to(torch::kDouble);
    const Tensor stated = torch::tensor(line.regression->targets, torch::kDouble);
    if (drawn.sizes() == stated.sizes() && drawn.allclose(stated, kTolerance, kTolerance))
      return "";
    return "targets";
  }

  /// What result.json says as well as another file.
  void check_repetitions() {
    const Json &spec = run_.spec, &env = run_.env;
    expect("schema", "this program", "kshot.result/1");
    for (const char* key : {"name", "seed"})
      expect(std::string("run.") + key, "spec.json", spec.at(key));
    for (const auto& [path, key] :
         {std::pair{"run.source_id", "source_id"}, std::pair{"run.code", "git_commit"},
          std::pair{"run.dirty", "dirty"}})
      expect(path, "env.json", env.value(key, Json()));
    for (const char* key : {"paper", "deviations"}) {
      const Json given = spec.value(key, Json());
      expect(key, "spec.json", given.empty() ? Json() : given);
    }
    expect("data.name", "data.json", run_.data.at("data"));
    expect("data.classes.test", "data.json", run_.data.at("test_classes").size());
    if (const auto hashes = data_hashes(run_)) expect("data.sha256", "env.json", hashes->at(2));
    const Json& test = spec.at("episodes").at("test");
    for (const char* key : {"way", "shot", "query", "seed"})
      expect(std::string("test.") + key, "spec.json", test.at(key));
    expect("test.episodes", "spec.json", test.at("count"));
    expect("test.split", "this program", "test");
    expect("algorithm.name", "spec.json", spec.at("algorithm").at("name"));
  }

  /// An evaluation repeats what the training of another record said.
  void check_training() {
    const bool trained = run_.result.contains("train");
    if (trained != run_.spec.contains("train")) {
      contradiction("result.json has {} block \"train\", spec.json has {}", trained ? "a" : "no",
                    trained ? "none" : "one");
      return;
    }
    if (!trained || is_evaluation()) return;
    const fs::path log = findings_.folder / "metrics.jsonl";
    if (!fs::exists(log)) {
      not_checked("training: there is no metrics.jsonl");
      return;
    }
    const Json figures = training_figures(log, run_.spec);
    for (const auto& [key, given] : figures.items()) expect("train." + key, "metrics.jsonl", given);
  }

  /// What the program says of the method, if it is the program that made the record.
  void check_method() {
    if (run_.result.at("run").at("source_id") != build_info().source_id) {
      not_checked("facts of the algorithm, parameters: the record was made by other sources");
      return;
    }
    const ExperimentSpec spec = read_spec(run_.spec, run_.env.value("device", "cpu"));
    const PreparedAlgorithm prepared = prepare_algorithm(spec);
    expect("algorithm", "the program", algorithm_record(prepared.facts, *prepared.algorithm));
    const auto hashes = data_hashes(run_);
    const bool own_data = !hashes || (!hashes->at(0).empty() && hashes->at(0) != hashes->at(2));
    if (own_data || !run_.data.contains("shape")) {
      not_checked("parameters: the shape of the training samples is not stated");
      return;
    }
    const ParamList weights = initial_weights(
        *prepared.algorithm, {run_.data["shape"].get<std::vector<int64_t>>(), outputs_of(spec)},
        spec.seed, {});
    expect("parameters", "the program", count_learnable(weights));
  }

  /// Of the model that was trained, or that is tested untrained.
  int64_t outputs_of(const ExperimentSpec& spec) const {
    if (!run_.spec.contains("train")) return spec.episodes.test.shape.way;
    const bool batches = spec.episodes.train.kind == "minibatch";
    return batches ? run_.result.at("data").at("classes").at("train").get<int64_t>()
                   : spec.episodes.train.shape.way;
  }

  RecordFindings findings_;
  RecordedRun run_;
};

}  // namespace

RecordFindings check_record(const fs::path& folder) { return RecordCheck(folder).findings(); }

}  // namespace kshot
