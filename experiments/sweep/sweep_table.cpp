#include "experiments/sweep/sweep_table.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "experiments/command_line.h"
#include "experiments/records/validation_record.h"
#include "experiments/sweep/trial_failure.h"

namespace kshot {
namespace {

std::optional<Summary> summary_of(const std::vector<double>& values) {
  return values.empty() ? std::nullopt : std::optional(summarize(values));
}

/// The mean over test tasks that a finished run's record states.
double test_score(const RunFolder& run, const Score& score) {
  const Json result = run.result();
  const char* pointer = score.percent ? "/test/accuracy/mean" : "/test/error/mse/mean";
  return result.at(Json::json_pointer(pointer)).get<double>();
}

void count_problem(std::vector<std::string>& problems, int64_t count, const char* what) {
  if (count > 0) problems.push_back(fmt::format("{} {}", count, what));
}

/// Fills in what the runs' folders say.
void look_up(const SweepPlan& plan, const Score& score, Configuration& configuration) {
  std::vector<double> validation, loss, test;
  int64_t diverged = 0, failed = 0, waiting = 0, without_validation = 0;
  for (const Trial* trial : configuration.trials) {
    const auto found = find_validation(trial->folder);
    const auto failure = find_failure(plan, *trial);
    if (found && found->score()) {
      validation.push_back(*found->score());
      loss.push_back(found->loss.value_or(0));
    } else if (found) {
      ++without_validation;
    }
    if (trial->folder.finished()) {
      test.push_back(test_score(trial->folder, score));
    } else if (failure && (!found || failure->stage == stage_name(SweepStage::test))) {
      ++(failure->diverged() ? diverged : failed);
    } else if (!found) {
      ++waiting;
    }
  }
  configuration.validation = summary_of(validation);
  configuration.loss = summary_of(loss);
  configuration.test = summary_of(test);
  count_problem(configuration.problems, diverged, "diverged");
  count_problem(configuration.problems, failed, "failed");
  count_problem(configuration.problems, waiting, "not trained");
  count_problem(configuration.problems, without_validation, "without validation");
}

/// Sorts by: complete, score, loss, place in the plan.
void put_best_first(SweepTable& table) {
  const auto key = [&](const Configuration& c) {
    const double sign = table.score().more_is_better ? -1 : 1;
    return std::tuple(!c.complete(), !c.validation, c.validation ? sign * c.validation->mean : 0,
                      c.loss ? c.loss->mean : 0, c.trials[0]->index);
  };
  std::sort(table.configurations.begin(), table.configurations.end(),
            [&](const Configuration& a, const Configuration& b) { return key(a) < key(b); });
}

/// The paths that some configuration of a table sets, sorted.
std::vector<std::string> paths_of(const SweepTable& table) {
  Json paths = Json::object();
  for (const Configuration& configuration : table.configurations)
    paths.update(settings_json(configuration.settings));
  std::vector<std::string> names;
  for (const auto& [path, value] : paths.items()) names.push_back(path);
  return names;
}

std::string title_of(const Json& tasks, const SweepTable& table) {
  const auto number = [&](const char* key) { return tasks.at(key).get<int64_t>(); };
  const std::string data = tasks.at("data");
  const std::string shape = table.kind == TaskKind::regression
                                ? fmt::format("{}-shot regression", number("shot"))
                                : fmt::format("{}-way {}-shot", number("way"), number("shot"));
  return fmt::format("{} validation: {}, {} queries{}, {} tasks", data, shape, number("query"),
                     table.kind == TaskKind::regression ? "" : " a class", number("count"));
}

std::string table_text(const SweepTable& table) {
  const Score& score = table.score();
  const std::vector<std::string> paths = paths_of(table);
  std::vector<std::vector<std::string>> rows{{""}};
  for (const std::string& path : paths) rows[0].push_back(path);
  for (const char* title : {"validation", "sd", "seeds", "test", "sd", ""})
    rows[0].emplace_back(title);
  rows[0][paths.size() + 1] += score.percent ? " %" : " " + score.name;
  for (const Configuration& c : table.configurations) {
    std::vector<std::string> row{c.chosen ? "*" : ""};
    const Json settings = settings_json(c.settings);
    for (const std::string& path : paths)
      row.push_back(settings.contains(path) ? value_text(settings[path]) : "");
    const auto add = [&](const std::optional<Summary>& summary) {
      row.push_back(summary ? score.number(summary->mean) : "");
      row.push_back(summary && summary->std ? score.number(*summary->std) : "");
    };
    add(c.validation);
    row.push_back(std::to_string(c.validation ? c.validation->n : 0));
    add(c.test);
    row.push_back(fmt::format("{}", fmt::join(c.problems, ", ")));
    rows.push_back(row);
  }
  return title_of(table.validation_tasks, table) + "\n\n" + text_table(rows);
}

std::string choice_text(const SweepTable& table) {
  const Configuration& best = table.configurations[0];
  if (!best.chosen)
    return "None is chosen: no configuration has a validation score for each of its seeds.\n";
  const Score& score = table.score();
  std::string text =
      fmt::format("Chosen by validation (*): {}{}validation {}", settings_text(best.settings),
                  best.settings.empty() ? "" : ": ", score.told(best.validation->mean));
  if (best.test) {
    text += fmt::format(", test {}", score.told(best.test->mean));
    if (best.test->std)
      text += fmt::format(", sd {} over {} seeds", score.number(*best.test->std), best.test->n);
  }
  return text + "\n";
}

Json summary_json(const Summary& summary) {
  Json json{{"mean", summary.mean}, {"seeds", summary.n}};
  if (summary.std) json["std_over_seeds"] = *summary.std;
  return json;
}

Json trial_json(const SweepPlan& plan, const Trial& trial) {
  Json json{{"index", trial.index},
            {"edits", settings_json(trial.settings)},
            {"run", trial.run_id},
            {"folder", trial.folder.path().generic_string()},
            {"tested", trial.folder.finished()}};
  if (const auto validation = find_validation(trial.folder))
    json["validation"] = write_config(*validation);
  if (const auto failure = find_failure(plan, trial)) json["failure"] = write_config(*failure);
  return json;
}

Json configuration_json(const SweepPlan& plan, const Configuration& configuration) {
  Json trials = Json::array();
  for (const Trial* trial : configuration.trials) trials.push_back(trial_json(plan, *trial));
  Json json{{"edits", settings_json(configuration.settings)},
            {"chosen", configuration.chosen},
            {"problems", configuration.problems},
            {"trials", trials}};
  if (configuration.validation) json["validation"] = summary_json(*configuration.validation);
  if (configuration.test) json["test"] = summary_json(*configuration.test);
  return json;
}

}  // namespace

std::vector<SweepTable> make_sweep_tables(const SweepPlan& plan) {
  std::vector<SweepTable> tables;
  std::map<std::string, size_t> table_at, configuration_at;
  for (const Trial& trial : plan.trials) {
    const std::string tasks = trial.validation_tasks.dump();
    const auto [t, new_table] = table_at.try_emplace(tasks, tables.size());
    if (new_table) tables.push_back({trial.validation_tasks, trial.kind, {}});
    auto& configurations = tables[t->second].configurations;
    const Settings settings = trial.without_seed();
    const auto [c, new_configuration] =
        configuration_at.try_emplace(tasks + settings_json(settings).dump(), configurations.size());
    if (new_configuration) configurations.push_back({.settings = settings});
    configurations[c->second].trials.push_back(&trial);
  }
  for (SweepTable& table : tables) {
    for (Configuration& configuration : table.configurations)
      look_up(plan, table.score(), configuration);
    put_best_first(table);
    table.configurations[0].chosen = table.configurations[0].complete();
  }
  return tables;
}

std::vector<const Trial*> chosen_trials(const std::vector<SweepTable>& tables) {
  std::vector<const Trial*> trials;
  for (const SweepTable& table : tables) {
    for (const Configuration& configuration : table.configurations) {
      if (configuration.chosen)
        trials.insert(trials.end(), configuration.trials.begin(), configuration.trials.end());
    }
  }
  return trials;
}

std::string sweep_text(const SweepPlan& plan, const std::vector<SweepTable>& tables) {
  std::string text =
      fmt::format("{}: {} trials\n{}\n", plan.name, plan.trials.size(), plan.folder.string());
  for (const SweepTable& table : tables)
    text += "\n" + table_text(table) + "\n" + choice_text(table);
  return text;
}

Json sweep_json(const SweepPlan& plan, const std::vector<SweepTable>& tables) {
  Json list = Json::array();
  for (const SweepTable& table : tables) {
    Json configurations = Json::array();
    for (const Configuration& configuration : table.configurations)
      configurations.push_back(configuration_json(plan, configuration));
    list.push_back({{"validation_tasks", table.validation_tasks},
                    {"score", table.score().name},
                    {"configurations", configurations}});
  }
  return {{"schema", "kshot.sweep/1"},
          {"id", plan.id},
          {"name", plan.name},
          {"folder", plan.folder.generic_string()},
          {"trials", plan.trials.size()},
          {"tables", list}};
}

}  // namespace kshot
