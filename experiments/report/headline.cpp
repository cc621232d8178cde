// What was found, in words.
#include <cmath>

#include "experiments/html_page.h"
#include "experiments/leaderboard/comparison_words.h"
#include "experiments/leaderboard/leaderboard.h"
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
  const auto iterations = train.at("iterations").get<int64_t>();
  const bool chosen = run.chosen() && train.contains("best_iteration");
  if (!chosen) return fmt::format("trained for {} iterations", iterations);
  const auto best = train.at("best_iteration").get<int64_t>();
  if (run.curves.retrain.empty()) {
    return fmt::format("trained for {} iterations, weights chosen by validation at {}", iterations,
                       best);
  }
  return fmt::format(
      "trained until validation was best, at iteration {}, then anew for {} iterations on training "
      "and validation classes together",
      best, iterations);
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

Headline unfinished_headline(const ReportRun& run) {
  std::string text =
      fmt::format("This run of {} is not finished: {}", run.algorithm(), run.progress());
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

/// "98.39 % (± 0.26 for new classes), the mean of 3 trainings with a standard deviation of 0.05".
std::string row_text(const Score& score, const LeaderboardRow& row) {
  std::string text = fmt::format("{}{}", score.told(row.score.mean),
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

}  // namespace

Headline headline(const Report& report) {
  return report.runs.size() == 1 ? headline_of(report.runs[0]) : headline_of_several(report);
}

}  // namespace kshot
