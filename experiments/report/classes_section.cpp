// Which classes are hard, and which are taken for which.
#include <algorithm>
#include <set>

#include "experiments/html_page.h"
#include "experiments/report/class_figures.h"
#include "experiments/report/report.h"
#include "framework/base/error.h"

namespace kshot {
namespace {

constexpr size_t kHardest = 12, kMostPairs = 12, kLargestMatrix = 30;

std::vector<TaskClass> test_classes(const RecordedRun& record) {
  std::vector<TaskClass> classes;
  for (const Json& item : record.data.at("test_classes"))
    classes.push_back({item.at("name").get<std::string>(), item.at("source").get<int64_t>()});
  return classes;
}

std::string percent(double share) { return fmt::format("{:.1f} %", 100 * share); }

std::string scores_table(const std::string& caption, const std::string& what,
                         const std::vector<ClassScore>& scores, size_t most) {
  HtmlTable table(caption, {{what}, {"accuracy", true}, {"queries", true}, {"tasks", true}});
  for (size_t i = 0; i < std::min(most, scores.size()); ++i) {
    const ClassScore& score = scores[i];
    table.row({score.name, Cell::of_bar(score.accuracy(), percent(score.accuracy())),
               std::to_string(score.queries), std::to_string(score.tasks)});
  }
  return table.html();
}

std::string classes_text(const ClassNames& names, const std::vector<EpisodeOutcome>& episodes) {
  const std::vector<ClassScore> scores = accuracy_by(names, episodes);
  const ClassScore& hardest = scores.front();
  const auto perfect = std::count_if(scores.begin(), scores.end(), [](const ClassScore& score) {
    return score.right == score.queries;
  });
  std::string text = paragraph(fmt::format(
      "The hardest of {} classes is {}: {} of {} queries right, in {}. {} classes were never "
      "mistaken. A class met in few tasks may look hard by chance.",
      scores.size(), hardest.name, hardest.right, hardest.queries,
      counted(static_cast<size_t>(hardest.tasks), "task", "tasks"), perfect));
  text += scores_table(scores.size() > kHardest ? "The hardest classes" : "Accuracy by class",
                       "class", scores, kHardest);
  if (scores.size() > kHardest) {
    text += folded(fmt::format("All {} classes", scores.size()),
                   scores_table("Accuracy by class", "class", scores, scores.size()));
  }
  return text;
}

std::string groups_text(const ClassNames& groups, const std::vector<EpisodeOutcome>& episodes) {
  if (groups.empty()) return "";
  const std::vector<ClassScore> scores = accuracy_by(groups, episodes);
  if (scores.size() < 2) return "";
  return "<h3>By alphabet or group</h3>\n" +
         scores_table("Accuracy by group of classes", "group", scores, scores.size());
}

/// Share of mistakes from row to column as a table whose cells are shaded by it.
std::string matrix(const Confusions& confusions) {
  std::set<std::string> names;
  double highest = 0;
  for (const auto& [pair, confusion] : confusions) {
    names.insert({pair.first, pair.second});
    highest = std::max(highest, confusion.share());
  }
  if (names.size() < 2 || names.size() > kLargestMatrix || highest == 0) return "";
  std::vector<HtmlTable::Column> columns{{"taken for →"}};
  for (size_t i = 1; i <= names.size(); ++i) columns.push_back({std::to_string(i), true});
  HtmlTable table(
      "How often a query of the row was taken for a class of the column where both were "
      "in the task, %",
      columns);
  size_t number = 0;
  for (const std::string& from : names) {
    std::vector<Cell> cells{fmt::format("{} {}", ++number, from)};
    for (const std::string& to : names) {
      const auto found = confusions.find({from, to});
      if (found == confusions.end()) {
        cells.emplace_back("·");
        continue;
      }
      const double share = found->second.share();
      cells.push_back(Cell::of_html(fmt::format(
          "<span class=\"heat\" style=\"--heat:{:.0f}%\" title=\"{} taken for {}\">{:.1f}</span>",
          100 * share / highest, html_escape(from), html_escape(to), 100 * share)));
    }
    table.row(std::move(cells));
  }
  return "<div class=\"matrix\">" + table.html() + "</div>";
}

std::string pairs_table(const Confusions& confusions) {
  HtmlTable table(
      "Classes most often taken for another",
      {{"class"}, {"taken for"}, {"times", true}, {"of queries", true}, {"share", true}});
  for (const auto& [pair, confusion] : most_confused(confusions, kMostPairs)) {
    const bool turned = pair.first == pair.second;
    table.row({pair.first, turned ? "itself, turned" : pair.second, std::to_string(confusion.times),
               std::to_string(confusion.chances), percent(confusion.share())});
  }
  if (table.empty()) return paragraph("No class was ever taken for another.");
  return table.html();
}

std::string confusion_text(const ClassNames& names, const ClassNames& groups,
                           const std::vector<EpisodeOutcome>& episodes) {
  const Confusions by_class = confusions_by(names, episodes);
  std::string text = "<h3>Taken for another</h3>\n" + pairs_table(by_class);
  std::string grid = matrix(by_class);
  if (grid.empty() && !groups.empty()) grid = matrix(confusions_by(groups, episodes));
  return grid.empty() ? text : text + folded("The confusions as a matrix", grid);
}

std::string run_text(const ReportRun& run) {
  const std::vector<TaskClass> classes = test_classes(*run.record);
  const std::vector<EpisodeOutcome> episodes = tested_episodes(run);
  const ClassNames names = source_names(classes), groups = group_names(classes);
  return classes_text(names, episodes) + groups_text(groups, episodes) +
         confusion_text(names, groups, episodes);
}

}  // namespace

Section classes_section(const Report& report) {
  std::vector<const ReportRun*> runs = report.tested();
  std::erase_if(runs, [](const ReportRun* run) { return run->kind() == TaskKind::regression; });
  std::string body;
  for (const ReportRun* run : runs)
    body += runs.size() == 1 ? run_text(*run) : folded(run->label, run_text(*run), run == runs[0]);
  if (body.empty()) return {};
  return {"classes", "Classes and confusions", body};
}

}  // namespace kshot
