#include "experiments/leaderboard.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "framework/base/error.h"

namespace kshot {
namespace {

namespace fs = std::filesystem;

/// Half-made folders of `kshot run --again`, and what is no run at all.
bool passed_over(const fs::path& folder) {
  const std::string name = folder.filename().string();
  return name == "evaluations" || name == "checkpoints" || name.ends_with(".again") ||
         name.ends_with(".old");
}

/// Finished runs at or below a folder. A run holds no other runs but its evaluations.
void find_runs(const fs::path& folder, std::vector<fs::path>& found) {
  if (is_recorded_run(folder)) {
    found.push_back(folder);
    return;
  }
  std::vector<fs::path> inside;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_directory() && !passed_over(entry.path())) inside.push_back(entry.path());
  }
  std::sort(inside.begin(), inside.end());
  for (const fs::path& next : inside) find_runs(next, found);
}

auto order_of(const RecordedRun& run) { return std::tie(run.name, run.seed, run.id); }

}  // namespace

Records read_records(const std::vector<fs::path>& folders) {
  std::vector<fs::path> found;
  for (const fs::path& folder : folders) {
    if (!fs::is_directory(folder))
      throw Error(Exit::bad_spec, "{}: no such folder", folder.string());
    find_runs(folder, found);
  }
  Records records;
  std::map<std::pair<std::string, TaskDefinition>, size_t> known;
  std::set<fs::path> visited;
  for (const fs::path& folder : found) {
    if (!visited.insert(fs::weakly_canonical(folder)).second) continue;
    try {
      RecordedRun run = read_recorded_run(folder);
      const auto [place, fresh] = known.try_emplace({run.id, run.tasks}, records.runs.size());
      if (fresh) {
        records.runs.push_back(std::move(run));
        continue;
      }
      ++records.duplicates;
      const RecordedRun& first = records.runs[place->second];
      if (first.scores != run.scores) {
        records.warnings.push_back(fmt::format("{}: same run id as {}, but other figures; left out",
                                               folder.string(), first.folder.string()));
      }
    } catch (const Error& problem) {
      records.warnings.push_back(fmt::format("{}; left out", problem.what()));
    }
  }
  std::sort(records.runs.begin(), records.runs.end(),
            [](const RecordedRun& a, const RecordedRun& b) { return order_of(a) < order_of(b); });
  return records;
}

namespace {

/// Everything that makes a method but its training seed: "path" -> value, for comparing and naming.
std::map<std::string, std::string> traits_of(const RecordedRun& run) {
  Json spec = run.spec;
  for (const char* key : {"name", "paper", "deviations", "log", "seed"}) spec.erase(key);
  std::map<std::string, std::string> traits;
  const Json flat = spec.flatten();
  for (const auto& [pointer, value] : flat.items()) {
    std::string path = pointer.empty() ? pointer : pointer.substr(1);
    std::replace(path.begin(), path.end(), '/', '.');
    traits[path] = value.is_string() ? value.get<std::string>() : value.dump();
  }
  // Other sources, another LibTorch or another kind of device may give other numbers.
  traits["source"] = run.result.at("run").value("source_id", "").substr(0, 7);
  for (const char* key : {"device", "libtorch"}) traits[key] = run.env.value(key, "");
  traits["classes"] = run.result.at("data").value("classes", Json::object()).dump();
  return traits;
}

using Traits = std::map<std::string, std::string>;

/// "algorithm.inner_lr=0.1, source=1a2b3c4": what tells this method from the others of its name.
std::string difference_from(const std::vector<Traits>& others, const Traits& own) {
  constexpr size_t kMost = 3;
  std::set<std::string> differing;
  for (const Traits& other : others) {
    for (const auto& [key, value] : own) {
      const auto there = other.find(key);
      if (there == other.end() || there->second != value) differing.insert(key);
    }
  }
  std::vector<std::string> parts;
  for (const std::string& key : differing) {
    if (parts.size() < kMost) parts.push_back(key + "=" + own.at(key));
  }
  if (differing.size() > kMost) parts.emplace_back("...");
  return fmt::format("{}", fmt::join(parts, ", "));
}

/// Names of one table become unique.
void name_methods(std::vector<LeaderboardRow>& rows) {
  std::map<std::string, std::vector<size_t>> by_name;
  for (size_t i = 0; i < rows.size(); ++i) by_name[rows[i].runs[0].name].push_back(i);
  std::set<std::string> taken;
  for (const auto& [name, members] : by_name) {
    for (const size_t i : members) {
      std::vector<Traits> others;
      for (const size_t j : members) {
        if (j != i) others.push_back(traits_of(rows[j].runs[0]));
      }
      const std::string difference = difference_from(others, traits_of(rows[i].runs[0]));
      std::string& method = rows[i].method = difference.empty() ? name : name + " " + difference;
      if (!taken.insert(method).second) method += " " + rows[i].runs[0].id;
    }
  }
}

/// Runs of one method go together; a seed that is there already starts a row of its own.
std::vector<LeaderboardRow> rows_of(const std::vector<const RecordedRun*>& runs) {
  std::vector<LeaderboardRow> rows;
  std::vector<std::pair<std::string, Traits>> methods;
  for (const RecordedRun* run : runs) {
    const std::pair method(run->name, traits_of(*run));
    size_t place = 0;
    const auto takes = [&](size_t i) {
      return methods[i] == method &&
             std::none_of(rows[i].runs.begin(), rows[i].runs.end(),
                          [&](const RecordedRun& r) { return r.seed == run->seed; });
    };
    while (place < rows.size() && !takes(place)) ++place;
    if (place == rows.size()) {
      rows.emplace_back();
      methods.push_back(method);
    }
    rows[place].runs.push_back(*run);
  }
  name_methods(rows);
  return rows;
}

/// Fills in what the runs of a row say together.
void pool(LeaderboardRow& row, int64_t way) {
  const auto seeds = static_cast<double>(row.runs.size());
  row.scores.assign(row.runs[0].scores.size(), 0);
  std::vector<double> means;
  for (const RecordedRun& run : row.runs) {
    for (size_t e = 0; e < row.scores.size(); ++e) row.scores[e] += run.scores[e];
    means.push_back(run.score.mean);
  }
  for (double& score : row.scores) score /= seeds;
  row.score = summarize(row.scores);
  row.ci95_classes = class_interval(row.scores, row.runs[0].sources, way);
  row.seed_spread = summarize(means).std;
}

LeaderboardTable table_of(const TaskDefinition& tasks,
                          const std::vector<const RecordedRun*>& runs) {
  LeaderboardTable table{.tasks = tasks, .rows = rows_of(runs), .ranking = {}};
  for (LeaderboardRow& row : table.rows) pool(row, tasks.way);
  const Score& score = table.score();
  std::stable_sort(table.rows.begin(), table.rows.end(),
                   [&](const LeaderboardRow& a, const LeaderboardRow& b) {
                     return score.better(a.score.mean, b.score.mean);
                   });
  std::vector<Method> methods;
  for (const LeaderboardRow& row : table.rows) methods.emplace_back(row.scores);
  table.ranking =
      rank_methods(methods, table.rows[0].runs[0].sources, tasks.way, score.more_is_better);
  for (size_t i = 0; i < table.rows.size(); ++i) table.rows[i].rank = table.ranking.ranks[i];
  return table;
}

bool any_run(const LeaderboardRow& row, const std::function<bool(const Json& result)>& test) {
  return std::any_of(row.runs.begin(), row.runs.end(),
                     [&](const RecordedRun& run) { return test(run.result); });
}

}  // namespace

std::vector<std::string> LeaderboardRow::flags() const {
  std::vector<std::string> flags;
  const auto block = [](const Json& result, const char* name) {
    return result.value(name, Json::object());
  };
  if (any_run(*this,
              [&](const Json& r) { return block(r, "algorithm").value("transductive", false); })) {
    flags.emplace_back("transductive");
  }
  if (any_run(*this, [&](const Json& r) { return block(r, "run").value("dirty", false); }))
    flags.emplace_back("dirty");
  if (const size_t count = runs[0].result.value("deviations", Json::array()).size(); count > 0) {
    flags.push_back(fmt::format("{} deviation{}", count, count == 1 ? "" : "s"));
  }
  if (any_run(*this, [&](const Json& r) { return !block(r, "paper").value("comparable", true); })) {
    flags.emplace_back("not comparable");
  }
  return flags;
}

std::optional<double> LeaderboardRow::paper(const Score& measured) const {
  const Json paper = runs[0].result.value("paper", Json::object());
  if (!paper.contains(measured.name) || !paper[measured.name].is_number()) return std::nullopt;
  return paper[measured.name].get<double>();
}

std::vector<LeaderboardTable> make_leaderboard(const std::vector<RecordedRun>& runs) {
  std::map<TaskDefinition, std::vector<const RecordedRun*>> by_tasks;
  for (const RecordedRun& run : runs) by_tasks[run.tasks].push_back(&run);
  std::vector<LeaderboardTable> tables;
  for (const auto& [tasks, members] : by_tasks) tables.push_back(table_of(tasks, members));
  return tables;
}

}  // namespace kshot
