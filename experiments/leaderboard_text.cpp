// How a leaderboard reads: for people, and as JSON.
#include <algorithm>

#include "experiments/leaderboard.h"
#include "framework/base/error.h"

namespace kshot {
namespace {

std::string interval(const Score& score, const std::optional<double>& half_width) {
  return half_width ? "+- " + score.number(*half_width) : "";
}

std::optional<double> deciding_interval(const Comparison& comparison) {
  return comparison.on_classes ? comparison.ci95_classes() : comparison.ci95_episodes();
}

/// One column: its title and a cell for each row.
struct Column {
  std::string title;
  std::vector<std::string> cells;
  bool right = true;

  bool empty() const {
    return std::all_of(cells.begin(), cells.end(),
                       [](const std::string& cell) { return cell.empty(); });
  }
  size_t width() const {
    size_t widest = title.size();
    for (const std::string& cell : cells) widest = std::max(widest, cell.size());
    return widest;
  }
};

/// The lines of a table, its titles first. A column without any content is left out.
std::vector<std::string> lines_of(const std::vector<Column>& columns) {
  std::vector<std::string> lines(columns[0].cells.size() + 1);
  for (const Column& column : columns) {
    if (column.empty()) continue;
    const size_t width = column.width();
    for (size_t i = 0; i < lines.size(); ++i) {
      const std::string& cell = i == 0 ? column.title : column.cells[i - 1];
      lines[i] += column.right ? fmt::format("{:>{}}   ", cell, width)
                               : fmt::format("{:<{}}   ", cell, width);
    }
  }
  for (std::string& line : lines) line.erase(line.find_last_not_of(' ') + 1);
  return lines;
}

std::string seeds_cell(const Score& score, const LeaderboardRow& row) {
  if (row.runs.size() == 1) return "1";
  return fmt::format("{}, sd {}", row.runs.size(), score.number(*row.seed_spread));
}

std::string to_best_cell(const Score& score, const Comparison& best_minus_row) {
  const std::string difference = score.signed_number(-best_minus_row.difference);
  const auto half_width = deciding_interval(best_minus_row);
  return half_width ? fmt::format("{} +- {:>5}", difference, score.number(*half_width))
                    : difference;
}

std::string paper_cell(const Score& score, const LeaderboardRow& row) {
  const auto paper = row.paper(score);
  if (!paper) return "";
  return fmt::format("{} ({})", score.number(*paper), score.signed_number(row.score.mean - *paper));
}

std::vector<Column> columns_of(const LeaderboardTable& table) {
  const Score& score = table.score();
  Column rank{"rank", {}}, method{"method", {}, false}, value{score.name, {}},
      episodes{"episodes", {}}, classes{"classes", {}}, seeds{"seeds", {}, false},
      to_best{"to the best", {}}, paper{"paper", {}, false}, flags{"flags", {}, false};
  for (size_t i = 0; i < table.rows.size(); ++i) {
    const LeaderboardRow& row = table.rows[i];
    rank.cells.push_back(std::to_string(row.rank));
    method.cells.push_back(row.method);
    value.cells.push_back(score.number(row.score.mean));
    episodes.cells.push_back(interval(score, row.score.ci95));
    classes.cells.push_back(interval(score, row.ci95_classes));
    seeds.cells.push_back(seeds_cell(score, row));
    to_best.cells.push_back(i == 0 ? "" : to_best_cell(score, table.ranking.pair(0, i).comparison));
    paper.cells.push_back(paper_cell(score, row));
    flags.cells.push_back(fmt::format("{}", fmt::join(row.flags(), ", ")));
  }
  return {rank, method, value, episodes, classes, seeds, to_best, paper, flags};
}

/// The pairs worth a sentence: all of a small table; else each method with the best and the next.
std::vector<const Ranking::Pair*> told_pairs(const LeaderboardTable& table) {
  constexpr size_t kSmall = 4;
  std::vector<const Ranking::Pair*> pairs;
  for (const Ranking::Pair& pair : table.ranking.pairs) {
    if (table.rows.size() <= kSmall || pair.first == 0 || pair.second == pair.first + 1)
      pairs.push_back(&pair);
  }
  return pairs;
}

std::string sentences(const LeaderboardTable& table) {
  std::string beyond, within;
  for (const Ranking::Pair* pair : told_pairs(table)) {
    const std::string& first = table.rows[pair->first].method;
    const std::string& second = table.rows[pair->second].method;
    (pair->differs ? beyond : within) +=
        "  " + verdict(first, second, pair->comparison, pair->corrected_p, table.score()) + "\n";
  }
  std::string text;
  if (!beyond.empty()) text += "Beyond noise:\n" + beyond;
  if (!within.empty()) text += "Not told apart:\n" + within;
  return text;
}

std::string footnote(const LeaderboardTable& table) {
  std::string text = table.score().title + ", intervals 95 %: \"episodes\" for exactly these tasks";
  text += table.tasks.kind == TaskKind::classification ? ", \"classes\" for new ones.\n" : ".\n";
  if (const auto& pairs = table.ranking.pairs; !pairs.empty()) {
    text += fmt::format("Differences are paired on the same tasks; the intervals hold for {}",
                        pairs[0].comparison.on_classes ? "new classes" : "these tasks");
    if (pairs.size() > 1) text += fmt::format(", p is Holm-corrected over {} pairs", pairs.size());
    text += ".\n";
  }
  const bool pooled = std::any_of(table.rows.begin(), table.rows.end(),
                                  [](const LeaderboardRow& row) { return row.runs.size() > 1; });
  text += pooled ? "Seeds: how many trainings, and the standard deviation of their means.\n"
                 : "One training each: how far another seed would come is not known.\n";
  return text;
}

std::string table_text(const LeaderboardTable& table, bool bold) {
  std::string text =
      fmt::format("{}\ntasks {}, data {}\n\n", title_of(table.tasks),
                  table.tasks.episodes_sha256.substr(0, 12), table.tasks.data_sha256.substr(0, 12));
  const std::vector<std::string> lines = lines_of(columns_of(table));
  for (size_t i = 0; i < lines.size(); ++i) {
    const bool best = i > 0 && table.rows[i - 1].rank == 1;
    text += bold && best ? "\033[1m" + lines[i] + "\033[0m\n" : lines[i] + "\n";
  }
  const std::string told = sentences(table);
  return text + "\n" + told + (told.empty() ? "" : "\n") + footnote(table);
}

void put(Json& json, const char* key, const std::optional<double>& value) {
  if (value) json[key] = *value;
}

Json tasks_json(const TaskDefinition& tasks) {
  return {{"data", tasks.data},         {"data_sha256", tasks.data_sha256},
          {"split", tasks.split},       {"way", tasks.way},
          {"shot", tasks.shot},         {"query", tasks.query},
          {"episodes", tasks.episodes}, {"episodes_sha256", tasks.episodes_sha256}};
}

Json row_json(const LeaderboardRow& row, const Score& score) {
  Json figures{{"mean", row.score.mean}};
  put(figures, "std", row.score.std);
  put(figures, "ci95_episodes", row.score.ci95);
  put(figures, "ci95_classes", row.ci95_classes);
  put(figures, "std_over_seeds", row.seed_spread);
  Json runs = Json::array();
  for (const RecordedRun& run : row.runs) {
    runs.push_back({{"id", run.id},
                    {"seed", run.seed},
                    {"folder", run.folder.generic_string()},
                    {score.name, run.score.mean}});
  }
  Json json{{"rank", row.rank},
            {"method", row.method},
            {"name", row.runs[0].name},
            {"algorithm", row.runs[0].result.value("algorithm", Json::object())},
            {score.name, figures},
            {"runs", runs},
            {"flags", row.flags()},
            {"deviations", row.runs[0].result.value("deviations", Json::array())}};
  if (const Json& result = row.runs[0].result; result.contains("paper"))
    json["paper"] = result["paper"];
  return json;
}

Json pairs_json(const LeaderboardTable& table) {
  Json pairs = Json::array();
  for (const Ranking::Pair& pair : table.ranking.pairs) {
    Json json = comparison_json(pair.comparison);
    json["first"] = table.rows[pair.first].method;
    json["second"] = table.rows[pair.second].method;
    json["p_holm"] = pair.corrected_p;
    json["differs"] = pair.differs;
    pairs.push_back(json);
  }
  return pairs;
}

}  // namespace

std::string p_text(double p_value) {
  return p_value < 0.001 ? "p < 0.001" : fmt::format("p = {:.2g}", p_value);
}

std::string verdict(const std::string& first, const std::string& second,
                    const Comparison& comparison, double p_value, const Score& score) {
  const bool ahead = score.favours_first(comparison.difference);
  const std::string &better = ahead ? first : second, &worse = ahead ? second : first;
  std::string size = score.number(std::abs(comparison.difference));
  if (const auto half_width = deciding_interval(comparison))
    size += " +- " + score.number(*half_width);
  size += score.difference_unit;
  constexpr double kLevel = 0.05;
  return p_value < kLevel
             ? fmt::format("{} beats {} by {} ({})", better, worse, size, p_text(p_value))
             : fmt::format("{} and {}: {} apart ({})", better, worse, size, p_text(p_value));
}

Json comparison_json(const Comparison& comparison) {
  Json json{{"episodes", comparison.episodes},
            {"difference", comparison.difference},
            {"p", comparison.p_value()}};
  put(json, "ci95_episodes", comparison.ci95_episodes());
  put(json, "ci95_classes", comparison.ci95_classes());
  put(json, "p_episodes", comparison.p_episodes());
  put(json, "p_classes", comparison.p_classes());
  return json;
}

std::string leaderboard_text(const std::vector<LeaderboardTable>& tables, bool bold) {
  std::vector<std::string> parts;
  for (const LeaderboardTable& table : tables) parts.push_back(table_text(table, bold));
  return fmt::format("{}", fmt::join(parts, "\n\n"));
}

Json leaderboard_json(const std::vector<LeaderboardTable>& tables, const Records& records) {
  Json list = Json::array();
  for (const LeaderboardTable& table : tables) {
    Json rows = Json::array();
    for (size_t i = 0; i < table.rows.size(); ++i) {
      rows.push_back(row_json(table.rows[i], table.score()));
      if (i > 0)
        rows.back()["best_minus_this"] = comparison_json(table.ranking.pair(0, i).comparison);
    }
    list.push_back(
        {{"tasks", tasks_json(table.tasks)}, {"methods", rows}, {"pairs", pairs_json(table)}});
  }
  return {{"schema", "kshot.leaderboard/1"}, {"tables", list}, {"left_out", records.warnings}};
}

}  // namespace kshot
