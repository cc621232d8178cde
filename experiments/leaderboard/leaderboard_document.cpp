#include "experiments/leaderboard/leaderboard_document.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <functional>

#include "experiments/leaderboard/comparison_words.h"

namespace kshot {
namespace {

std::string interval(const Score& score, const std::optional<double>& half_width) {
  return half_width ? "+- " + score.number(*half_width) : "";
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
  return fmt::format("{} ({})", score.number(paper->value),
                     score.signed_number(row.score.mean - paper->value));
}

std::string agrees_cell(const Score& score, const LeaderboardRow& row) {
  const auto paper = row.paper(score);
  if (!paper || !paper->half_width) return "";
  return fmt::format("{} {}", paper->agrees ? "yes, within" : "no, beyond",
                     score.number(*paper->half_width));
}

std::vector<TableColumn> columns_of(const LeaderboardTable& table) {
  const Score& score = table.score();
  std::vector<TableColumn> columns;
  const auto column = [&](const std::string& title, bool number,
                          const std::function<std::string(size_t)>& cell) {
    columns.push_back({.title = title, .number = number});
    for (size_t i = 0; i < table.rows.size(); ++i)
      columns.back().cells.push_back({.text = cell(i), .best = table.rows[i].rank == 1});
  };
  const auto row = [&](size_t i) -> const LeaderboardRow& { return table.rows[i]; };
  column("rank", true, [&](size_t i) { return std::to_string(row(i).rank); });
  column("method", false, [&](size_t i) { return row(i).method; });
  column(score.name, true, [&](size_t i) { return score.number(row(i).score.mean); });
  column("episodes", true, [&](size_t i) { return interval(score, row(i).score.ci95); });
  column("classes", true, [&](size_t i) { return interval(score, row(i).ci95_classes); });
  column("seeds", false, [&](size_t i) { return seeds_cell(score, row(i)); });
  column("to the best", true, [&](size_t i) {
    return i == 0 ? "" : to_best_cell(score, table.ranking.pair(0, i).comparison);
  });
  column("paper", false, [&](size_t i) { return paper_cell(score, row(i)); });
  column("agrees", false, [&](size_t i) { return agrees_cell(score, row(i)); });
  column("flags", false,
         [&](size_t i) { return fmt::format("{}", fmt::join(row(i).flags(), ", ")); });
  return columns;
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

std::vector<TableList> sentences(const LeaderboardTable& table) {
  TableList beyond{.title = "Beyond noise"}, within{.title = "Not told apart"};
  for (const Ranking::Pair* pair : told_pairs(table)) {
    const std::string& first = table.rows[pair->first].method;
    const std::string& second = table.rows[pair->second].method;
    (pair->differs ? beyond : within)
        .items.push_back(
            verdict(first, second, pair->comparison, pair->corrected_p, table.score()));
  }
  std::vector<TableList> lists;
  for (const TableList& list : {beyond, within}) {
    if (!list.items.empty()) lists.push_back(list);
  }
  return lists;
}

/// What the column "agrees" means here; empty where it is.
std::string agreement_note(const LeaderboardTable& table) {
  bool classes = false, seeds = false, any = false;
  for (const LeaderboardRow& row : table.rows) {
    const auto paper = row.paper(table.score());
    if (!paper || !paper->half_width) continue;
    any = true;
    classes = classes || row.ci95_classes.has_value();
    seeds = seeds || row.seed_spread.has_value();
  }
  if (!any) return "";
  return fmt::format(
      "Agrees: whether the paper's number lies within our interval for {}{}.",
      classes ? "new classes" : "these tasks",
      seeds ? ", widened by that for one more training where there are several" : "");
}

std::vector<std::string> notes_of(const LeaderboardTable& table) {
  std::vector<std::string> notes{
      table.score().title + ", intervals 95 %: \"episodes\" for exactly these tasks" +
      (table.tasks.kind == TaskKind::classification ? ", \"classes\" for new ones." : ".")};
  if (const auto& pairs = table.ranking.pairs; !pairs.empty()) {
    notes.push_back(fmt::format(
        "Differences are paired on the same tasks; the intervals hold for {}{}.",
        pairs[0].comparison.on_classes ? "new classes" : "these tasks",
        pairs.size() > 1 ? fmt::format(", p is Holm-corrected over {} pairs", pairs.size()) : ""));
  }
  const bool pooled = std::any_of(table.rows.begin(), table.rows.end(),
                                  [](const LeaderboardRow& row) { return row.runs.size() > 1; });
  notes.emplace_back(pooled
                         ? "Seeds: how many trainings, and the standard deviation of their means."
                         : "One training each: how far another seed would come is not known.");
  if (const std::string note = agreement_note(table); !note.empty()) notes.push_back(note);
  return notes;
}

TableSection section_of(const LeaderboardTable& table) {
  return {.title = title_of(table.tasks),
          .subtitle = fmt::format("tasks {}, data {}", table.tasks.episodes_sha256.substr(0, 12),
                                  table.tasks.data_sha256.substr(0, 12)),
          .columns = columns_of(table),
          .lists = sentences(table),
          .notes = notes_of(table)};
}

/// What was found, but stands in no table.
std::vector<std::string> notes_on(const Records& records) {
  std::vector<std::string> notes;
  if (const size_t count = records.unfinished.size(); count > 0) {
    std::vector<std::string> folders;
    for (const auto& folder : records.unfinished) folders.push_back(folder.generic_string());
    notes.push_back(fmt::format("Unfinished, in no table: {} run{}: {}.", count,
                                count == 1 ? "" : "s", fmt::join(folders, ", ")));
  }
  if (const size_t count = records.warnings.size(); count > 0) {
    notes.push_back(
        fmt::format("Left out: {} record{} that cannot be trusted; kshot leaderboard --verify says "
                    "why.",
                    count, count == 1 ? "" : "s"));
  }
  return notes;
}

std::string grid_cell(const LeaderboardTable& table, const LeaderboardRow& row) {
  const Score& score = table.score();
  const std::string half_width = interval(score, row.score.ci95);
  return score.number(row.score.mean) + (half_width.empty() ? "" : " " + half_width);
}

std::vector<std::string> grid_notes(const LeaderboardGrid& grid) {
  std::vector<std::string> notes{
      "Accuracy in %, mse as it is; +- is the 95 % interval for exactly these tasks.",
      "A cell is the mean over seeds; nothing is averaged over columns.",
      "Bold: the best of a column, and what cannot be told apart from it on the same tasks."};
  for (const GridRow& row : grid.rows) {
    if (row.differing.empty()) continue;
    notes.push_back(fmt::format("{} is not set alike in all columns: {}.", row.method,
                                fmt::join(row.differing, ", ")));
  }
  return notes;
}

}  // namespace

TableDocument leaderboard_document(const std::vector<LeaderboardTable>& tables,
                                   const Records& records) {
  TableDocument document{.title = "Leaderboard", .notes = notes_on(records)};
  for (const LeaderboardTable& table : tables) document.sections.push_back(section_of(table));
  return document;
}

TableDocument grid_document(const LeaderboardGrid& grid, const Records& records) {
  TableSection section{.title = "Methods by data set and shot"};
  section.columns.push_back({.title = "method", .number = false});
  for (const GridRow& row : grid.rows) section.columns[0].cells.push_back({.text = row.method});
  for (size_t c = 0; c < grid.columns.size(); ++c) {
    const LeaderboardTable& table = *grid.columns[c].table;
    TableColumn column{.title = grid.columns[c].title};
    for (const GridRow& grid_row : grid.rows) {
      TableCell& cell = column.cells.emplace_back();
      if (!grid_row.places[c]) continue;
      const LeaderboardRow& row = table.rows[*grid_row.places[c]];
      const bool best = row.rank == 1 && table.rows.size() > 1;
      cell = {.text = grid_cell(table, row), .best = best};
    }
    section.columns.push_back(std::move(column));
  }
  TableColumn flags{.title = "flags", .number = false};
  for (const GridRow& row : grid.rows)
    flags.cells.push_back({.text = fmt::format("{}", fmt::join(row.flags, ", "))});
  section.columns.push_back(std::move(flags));
  section.notes = grid_notes(grid);
  return {.title = "Leaderboard", .sections = {section}, .notes = notes_on(records)};
}

}  // namespace kshot
