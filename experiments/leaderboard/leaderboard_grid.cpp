#include "experiments/leaderboard/leaderboard_grid.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "experiments/records/method_traits.h"
#include "framework/base/error.h"

namespace kshot {
namespace {

/// How one row of a table may be recognised in another table, the surest way first.
constexpr int kWays = 3;

Json key_of(const LeaderboardRow& row, int way) {
  const RecordedRun& run = row.runs[0];
  if (way == kWays - 1) return run.name;
  Traits traits = traits_apart_from_tasks(traits_of(run));
  if (way > 0) {
    for (const char* key : {"source", "libtorch", "device"}) traits.erase(key);
  }
  return traits;
}

/// Fills the grid table by table.
class Matching {
 public:
  explicit Matching(const std::vector<LeaderboardTable>& tables) : tables_(tables) {}

  std::vector<GridRow> rows() {
    for (size_t c = 0; c < tables_.size(); ++c) add(c);
    return std::move(grid_);
  }

 private:
  void add(size_t column) {
    for (GridRow& row : grid_) row.places.resize(column + 1);
    const size_t before = grid_.size();
    std::set<size_t> open;
    for (size_t i = 0; i < tables_[column].rows.size(); ++i) open.insert(i);
    for (int way = 0; way < kWays; ++way) match(column, way, before, open);
    for (const size_t i : open) {
      GridRow row;
      row.places.resize(column + 1);
      row.places[column] = i;
      grid_.push_back(std::move(row));
    }
  }

  /// Gives open rows of this column to grid rows of the same key. A name must leave no choice.
  void match(size_t column, int way, size_t grid_rows, std::set<size_t>& open) {
    std::map<Json, std::vector<size_t>> by_key;
    for (const size_t i : open) by_key[key_of(tables_[column].rows[i], way)].push_back(i);
    for (const auto& [key, members] : by_key) {
      const std::vector<size_t> candidates = free_rows(column, key, way, grid_rows);
      const bool choice = members.size() > 1 || candidates.size() > 1;
      if (way == kWays - 1 && choice) continue;
      for (size_t k = 0; k < std::min(members.size(), candidates.size()); ++k) {
        grid_[candidates[k]].places[column] = members[k];
        open.erase(members[k]);
      }
    }
  }

  std::vector<size_t> free_rows(size_t column, const Json& key, int way, size_t grid_rows) const {
    std::vector<size_t> rows;
    for (size_t g = 0; g < grid_rows; ++g) {
      if (!grid_[g].places[column] && has_key(grid_[g], key, way)) rows.push_back(g);
    }
    return rows;
  }

  bool has_key(const GridRow& row, const Json& key, int way) const {
    for (size_t c = 0; c < row.places.size(); ++c) {
      if (row.places[c] && key_of(tables_[c].rows[*row.places[c]], way) == key) return true;
    }
    return false;
  }

  const std::vector<LeaderboardTable>& tables_;
  std::vector<GridRow> grid_;
};

std::vector<const RecordedRun*> runs_of(const LeaderboardGrid& grid, const GridRow& row) {
  std::vector<const RecordedRun*> runs;
  for (size_t c = 0; c < row.places.size(); ++c) {
    if (row.places[c]) runs.push_back(&grid.columns[c].table->rows[*row.places[c]].runs[0]);
  }
  return runs;
}

/// What the names have in common at their beginning: "protonet-omniglot-5w1s" and
/// "protonet-omniglot-20w1s" give "protonet-omniglot". The algorithm where that is nothing.
std::string common_name(const std::vector<const RecordedRun*>& runs) {
  std::string name = runs[0]->name;
  bool same = true;
  for (const RecordedRun* run : runs) {
    same = same && run->name == name;
    const auto [end, other] =
        std::mismatch(name.begin(), name.end(), run->name.begin(), run->name.end());
    name.erase(end, name.end());
  }
  if (same) return runs[0]->name;
  // "protonet-5w1s" and "protonet-5w5s": the number that is cut in two goes, too.
  const auto separator = name.find_last_of("-_. ");
  name.erase(separator == std::string::npos ? 0 : separator);
  return name.empty() ? runs[0]->result.at("algorithm").value("name", "") : name;
}

/// Each flag once, in the order in which the columns have them.
std::vector<std::string> flags_of(const LeaderboardGrid& grid, const GridRow& row) {
  std::vector<std::string> flags;
  for (size_t c = 0; c < row.places.size(); ++c) {
    if (!row.places[c]) continue;
    for (const std::string& flag : grid.columns[c].table->rows[*row.places[c]].flags()) {
      if (std::find(flags.begin(), flags.end(), flag) == flags.end()) flags.push_back(flag);
    }
  }
  return flags;
}

void name_rows(LeaderboardGrid& grid) {
  std::map<std::string, std::vector<size_t>> by_name;
  for (size_t g = 0; g < grid.rows.size(); ++g)
    by_name[common_name(runs_of(grid, grid.rows[g]))].push_back(g);
  const auto traits = [&](size_t g) {
    return traits_apart_from_tasks(traits_of(*runs_of(grid, grid.rows[g])[0]));
  };
  std::set<std::string> taken;
  for (const auto& [name, members] : by_name) {
    for (const size_t g : members) {
      std::vector<Traits> others;
      for (const size_t other : members) {
        if (other != g) others.push_back(traits(other));
      }
      const std::string difference = difference_from(others, traits(g));
      std::string& method = grid.rows[g].method =
          difference.empty() ? name : name + " " + difference;
      if (!taken.insert(method).second) method += " " + runs_of(grid, grid.rows[g])[0]->id;
    }
  }
}

std::string column_title(const TaskDefinition& tasks, int detail) {
  const bool regression = tasks.kind == TaskKind::regression;
  std::string title = regression
                          ? fmt::format("{} {}-shot, mse", tasks.data, tasks.shot)
                          : fmt::format("{} {}-way {}-shot", tasks.data, tasks.way, tasks.shot);
  if (detail > 0)
    title += fmt::format(", {} quer{}, {} episodes", tasks.query, tasks.query == 1 ? "y" : "ies",
                         tasks.episodes);
  if (detail > 1) title += fmt::format(", tasks {}", tasks.episodes_sha256.substr(0, 8));
  return title;
}

/// As short as sets each apart from all others.
std::string column_title(const std::vector<LeaderboardTable>& tables, size_t column) {
  constexpr int kMostDetail = 2;
  for (int detail = 0; detail < kMostDetail; ++detail) {
    const std::string title = column_title(tables[column].tasks, detail);
    const auto same = std::count_if(tables.begin(), tables.end(), [&](const auto& table) {
      return column_title(table.tasks, detail) == title;
    });
    if (same == 1) return title;
  }
  return column_title(tables[column].tasks, kMostDetail);
}

}  // namespace

LeaderboardGrid make_grid(const std::vector<LeaderboardTable>& tables) {
  LeaderboardGrid grid;
  for (size_t c = 0; c < tables.size(); ++c)
    grid.columns.push_back({.title = column_title(tables, c), .table = &tables[c]});
  grid.rows = Matching(tables).rows();
  name_rows(grid);
  for (GridRow& row : grid.rows) {
    std::vector<Traits> all;
    for (const RecordedRun* run : runs_of(grid, row))
      all.push_back(traits_apart_from_tasks(traits_of(*run)));
    row.differing = differing_keys(all);
    row.flags = flags_of(grid, row);
  }
  return grid;
}

Json grid_json(const LeaderboardGrid& grid) {
  Json columns = Json::array(), rows = Json::array();
  for (const GridColumn& column : grid.columns)
    columns.push_back({{"title", column.title}, {"tasks", tasks_json(column.table->tasks)}});
  for (const GridRow& row : grid.rows) {
    Json cells = Json::array();
    for (size_t c = 0; c < row.places.size(); ++c) {
      if (!row.places[c]) continue;
      const LeaderboardTable& table = *grid.columns[c].table;
      const LeaderboardRow& place = table.rows[*row.places[c]];
      cells.push_back({{"column", c},
                       {"method", place.method},
                       {"rank", place.rank},
                       {"seeds", place.runs.size()},
                       {"flags", place.flags()},
                       {table.score().name, figures_json(place)}});
    }
    rows.push_back({{"method", row.method}, {"cells", cells}, {"differing", row.differing}});
  }
  return {{"columns", columns}, {"rows", rows}};
}

}  // namespace kshot
