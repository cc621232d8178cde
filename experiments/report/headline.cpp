// What was found, in words.
#include <cmath>
#include <set>

#include "experiments/html_page.h"
#include "experiments/leaderboard.h"
#include "experiments/report/report.h"
#include "framework/base/error.h"

namespace kshot {
namespace {

std::string interval_text(const Score& score, const Summary& summary,
                          const std::optional<double>& ci95_classes) {
  std::vector<std::string> parts;
  if (summary.ci95)
    parts.push_back(fmt::format("± {} for these tasks", score.number(*summary.ci95)));
  if (ci95_classes)
    parts.push_back(fmt::format("± {} for new classes", score.number(*ci95_classes)));
  return parts.empty() ? "" : fmt::format(" ({})", fmt::join(parts, ", "));
}

/// Which numbers are unlike: "0.25 points lower", "0.02 of mse higher".
std::string difference_text(const Score& score, double difference) {
  return fmt::format("{}{} {}", score.number(std::abs(difference)), score.difference_unit,
                     difference < 0 ? "lower" : "higher");
}

/// The paper's number beside ours; nothing where the record has none.
std::string paper_sentence(const Score& score, const Json& result, double ours,
                           const std::optional<double>& half_width) {
  const Json paper = result.value("paper", Json::object());
  if (!paper.contains(score.name) || !paper[score.name].is_number()) return "";
  const double theirs = paper[score.name];
  const std::string source = paper.value("source", "The paper");
  if (!paper.value("comparable", true)) {
    return fmt::format("{} reports {}, by another protocol: the two are not to be compared.",
                       source, score.told(theirs));
  }
  std::string text = fmt::format("{} reports {}: ours is {}", source, score.told(theirs),
                                 difference_text(score, ours - theirs));
  if (half_width) {
    const bool within = std::abs(ours - theirs) <= *half_width;
    text += within ? ", which lies within our interval" : ", more than our interval explains";
  }
  return text + ".";
}

std::string training_text(const ReportRun& run) {
  const Json train = run.record->result.value("train", Json::object());
  if (!train.contains("iterations")) return "untrained";
  std::string text =
      fmt::format("trained for {} iterations", train.at("iterations").get<int64_t>());
  if (run.chosen() && train.contains("best_iteration")) {
    text += fmt::format(", weights chosen by validation at {}",
                        train.at("best_iteration").get<int64_t>());
  }
  return text;
}

/// What a reader must know before quoting the number.
std::string caveats(const Json& result) {
  std::vector<std::string> items;
  if (result.value("algorithm", Json::object()).value("transductive", false)) {
    items.emplace_back(
        "The method is transductive: its answer for one query may depend on the other queries.");
  }
  if (result.value("run", Json::object()).value("dirty", false))
    items.emplace_back("The program was built from sources with uncommitted changes.");
  std::string html;
  for (const std::string& item : items) html += paragraph(item, "note");
  const Json deviations = result.value("deviations", Json::array());
  if (deviations.empty()) return html;
  std::string list;
  for (const Json& deviation : deviations) {
    list += fmt::format(
        "<li>{}</li>\n",
        html_escape(deviation.is_string() ? deviation.get<std::string>() : deviation.dump()));
  }
  return html +
         folded(counted(deviations.size(), "deviation from the paper", "deviations from the paper"),
                "<ul>\n" + list + "</ul>\n");
}

/// How far an unfinished run came.
std::string progress_text(const ReportRun& run) {
  if (run.trained) return "trained, but not tested";
  std::string text = fmt::format("{} iterations done", run.curves.last_iteration());
  if (const auto planned = run.planned_iterations())
    text = fmt::format("{} of {} iterations done", run.curves.last_iteration(), *planned);
  return text;
}

Headline unfinished_headline(const ReportRun& run) {
  std::string text =
      fmt::format("This run of {} is not finished: {}", run.algorithm(), progress_text(run));
  if (const auto best = run.chosen()) {
    text += fmt::format(". Its best validation so far is {} at iteration {}",
                        run.score().told(*run.validation_score()), best->iteration);
  }
  return {fmt::format("{}: {}", run.name, run.trained ? "not tested" : "unfinished"),
          paragraph(text + ". There is no test yet, and no result to quote.", "finding")};
}

Headline headline_of(const ReportRun& run) {
  if (!run.finished()) return unfinished_headline(run);
  const RecordedRun& record = *run.record;
  const Score& score = run.score();
  const Json algorithm = record.result.value("algorithm", Json::object());
  const std::string paper = algorithm.value("paper", "");
  const std::string method =
      paper.empty() ? run.algorithm() : fmt::format("{} ({})", run.algorithm(), paper);
  std::string text = fmt::format(
      "{}, {}, reaches {}{} on {}.", method, training_text(run),
      score.percent ? score.told(record.score.mean) + " accuracy" : score.told(record.score.mean),
      interval_text(score, record.score, record.ci95_classes), title_of(record.tasks));
  const auto half_width = record.ci95_classes ? record.ci95_classes : record.score.ci95;
  const std::string beside = paper_sentence(score, record.result, record.score.mean, half_width);
  return {fmt::format("{}: {}", run.name, score.told(record.score.mean)),
          paragraph(text, "finding") + (beside.empty() ? "" : paragraph(beside, "finding")) +
              caveats(record.result)};
}

/// The figures of a row: "98.39 % (mean of 3 trainings, sd 0.05; ± 0.26 for new classes)".
std::string row_text(const Score& score, const LeaderboardRow& row) {
  std::string text = fmt::format("{} {}", score.told(row.score.mean),
                                 interval_text(score, row.score, row.ci95_classes));
  if (row.seed_spread) {
    text += fmt::format(", the mean of {} trainings with a standard deviation of {}",
                        row.runs.size(), score.number(*row.seed_spread));
  }
  return text;
}

std::string table_sentence(const LeaderboardTable& table) {
  const Score& score = table.score();
  const LeaderboardRow& first = table.rows[0];
  const std::string tasks = title_of(table.tasks);
  if (table.rows.size() == 1) {
    return fmt::format("{} reaches {} on {}.", first.method, row_text(score, first), tasks);
  }
  const Ranking::Pair& pair = table.ranking.pair(0, 1);
  std::string next =
      verdict(first.method, table.rows[1].method, pair.comparison, pair.corrected_p, score);
  if (const size_t sign = next.rfind(" +- "); sign != std::string::npos)
    next.replace(sign, 4, " ± ");  // the terminal's spelling
  return fmt::format(
      "Of {} methods on {}, {} does best: {}. {}: {}.", table.rows.size(), tasks, first.method,
      row_text(score, first),
      pair.differs ? "That is beyond noise" : "It cannot be told apart from the next", next);
}

/// What validation chose among the runs, where it can choose.
std::string choice_sentence(const Report& report) {
  if (report.outcome.kind != Outcome::Kind::validation) return "";
  const ReportRun& best = report.best();
  const Score& score = best.score();
  std::string text =
      fmt::format("Of {} runs, validation prefers {}: {} at iteration {}", report.runs.size(),
                  best.label, score.told(*best.validation_score()), best.chosen()->iteration);
  if (best.finished()) {
    text += fmt::format("; on the test tasks it has {}{}", score.told(best.record->score.mean),
                        interval_text(score, best.record->score, best.record->ci95_classes));
  }
  return text + ".";
}

Headline headline_of_several(const Report& report) {
  std::vector<RecordedRun> records;
  bool one_name = true;
  for (const ReportRun& run : report.runs) {
    one_name = one_name && run.name == report.runs[0].name;
    if (run.finished()) records.push_back(*run.record);
  }
  std::string body;
  if (const std::string choice = choice_sentence(report); !choice.empty())
    body += paragraph(choice, "finding");
  const std::vector<LeaderboardTable> tables = make_leaderboard(records);
  for (const LeaderboardTable& table : tables) {
    body += paragraph(table_sentence(table), "finding");
    const LeaderboardRow& first = table.rows[0];
    const std::string beside =
        paper_sentence(table.score(), first.runs[0].result, first.score.mean,
                       first.ci95_classes ? first.ci95_classes : first.score.ci95);
    if (!beside.empty()) body += paragraph(beside, "finding");
  }
  if (tables.size() > 1) {
    body += paragraph(
        fmt::format("These runs were tested on {} different sets of tasks; figures of different "
                    "tasks are not to be compared.",
                    tables.size()),
        "note");
  }
  if (const size_t open = report.runs.size() - records.size(); open > 0)
    body += paragraph(fmt::format("{} of these runs {} no test.", open, open == 1 ? "has" : "have"),
                      "note");
  return {one_name ? fmt::format("{}: {} runs", report.runs[0].name, report.runs.size())
                   : fmt::format("{} runs side by side", report.runs.size()),
          body};
}

bool same_tasks(const Report& report) {
  std::set<TaskDefinition> met;
  for (const ReportRun& run : report.runs) {
    if (run.finished()) met.insert(run.record->tasks);
  }
  return met.size() < 2;
}

std::string status_of(const ReportRun& run) { return run.finished() ? "" : progress_text(run); }

}  // namespace

Headline headline(const Report& report) {
  return report.runs.size() == 1 ? headline_of(report.runs[0]) : headline_of_several(report);
}

Section runs_section(const Report& report) {
  if (report.runs.size() == 1) return {};
  const bool same = same_tasks(report);
  HtmlTable table(report.outcome.kind == Outcome::Kind::none
                      ? "Runs, in the order given"
                      : fmt::format("Runs, the best by {} first", report.outcome.text()),
                  {{"run"},
                   {"test", true},
                   {"± these tasks", true},
                   {"± new classes", true},
                   {"validation", true},
                   {"at iteration", true},
                   {"paper", true},
                   {"test tasks"},
                   {"status"}});
  for (const size_t i : report.order) {
    const ReportRun& run = report.runs[i];
    const Score& score = run.score();
    std::vector<Cell> cells{run_cell(report, run)};
    const auto number = [&](const std::optional<double>& value) {
      cells.emplace_back(value ? score.number(*value) : "");
    };
    cells.emplace_back(run.finished() ? score.told(run.record->score.mean) : "");
    number(run.finished() ? run.record->score.ci95 : std::nullopt);
    number(run.finished() ? run.record->ci95_classes : std::nullopt);
    number(run.validation_score());
    cells.emplace_back(run.chosen() ? std::to_string(run.chosen()->iteration) : "");
    const Json paper =
        run.finished() ? run.record->result.value("paper", Json::object()) : Json::object();
    const Json theirs = paper.value(score.name, Json());
    number(theirs.is_number() ? std::optional(theirs.get<double>()) : std::nullopt);
    cells.emplace_back(run.finished() && !same ? title_of(run.record->tasks) : "");
    cells.emplace_back(status_of(run));
    table.row(std::move(cells));
  }
  return {"runs", "The runs", table.html()};
}

}  // namespace kshot
