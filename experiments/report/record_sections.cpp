// What was asked for, and what it was computed with.
#include <algorithm>

#include "experiments/flat_spec.h"
#include "experiments/html_page.h"
#include "experiments/report/report.h"
#include "experiments/report/spec_settings.h"
#include "framework/base/error.h"
#include "framework/base/progress.h"

namespace kshot {
namespace {

std::string differences_table(const Report& report) {
  std::vector<Json> specs;
  for (const ReportRun& run : report.runs) specs.push_back(run.spec);
  const std::vector<Setting> settings = differing_settings(specs);
  if (settings.empty()) return paragraph("The specs decide the same in every setting.");
  // Whichever there are fewer of stand side by side, and a few runs in any case.
  constexpr size_t kFew = 4;
  const bool runs_aside = report.runs.size() <= std::max(kFew, settings.size());
  std::vector<HtmlTable::Column> columns{{runs_aside ? "setting" : "run"}};
  if (runs_aside) {
    for (const ReportRun& run : report.runs) columns.push_back({run.label});
  } else {
    for (const Setting& setting : settings) columns.push_back({setting.path});
  }
  HtmlTable table("FlatSpec that differ", columns);
  const auto value = [&](const Setting& setting, size_t run) {
    return Cell(setting.values[run].empty() ? "-" : setting.values[run]);
  };
  if (runs_aside) {
    for (const Setting& setting : settings) {
      std::vector<Cell> cells{setting.path};
      for (size_t i = 0; i < report.runs.size(); ++i) cells.push_back(value(setting, i));
      table.row(std::move(cells));
    }
  } else {
    for (size_t i = 0; i < report.runs.size(); ++i) {
      std::vector<Cell> cells{run_cell(report, report.runs[i])};
      for (const Setting& setting : settings) cells.push_back(value(setting, i));
      table.row(std::move(cells));
    }
  }
  return table.html();
}

std::string whole_specs(const Report& report) {
  std::string html;
  for (const size_t i : report.shown) {
    const ReportRun& run = report.runs[i];
    html += folded(report.runs.size() == 1 ? "The whole spec" : "The whole spec of " + run.label,
                   fmt::format("<pre tabindex=\"0\">{}</pre>\n", html_escape(run.spec.dump(2))));
  }
  return html;
}

/// The settings of one run, for who does not unfold the spec.
std::string summary_table(const ReportRun& run) {
  HtmlTable table("The spec, part by part", {{"part"}, {"settings, defaults included"}});
  const auto join = [](const Json& block) {
    std::vector<std::string> parts;
    for (const auto& [path, value] : flat_spec(block)) parts.push_back(path + " " + value);
    return fmt::format("{}", fmt::join(parts, ", "));
  };
  for (const char* part : {"algorithm", "backbone", "optimizer", "train", "episodes", "dataset"}) {
    if (run.spec.contains(part) && run.spec[part].is_object())
      table.row({part, join(run.spec[part])});
  }
  return table.html();
}

std::string number_at(const Json& block, const char* key, const char* format, double unit = 1) {
  if (!block.contains(key) || !block[key].is_number()) return "";
  return fmt::format(fmt::runtime(format), block[key].get<double>() / unit);
}

std::string code_text(const ReportRun& run) {
  const std::string commit = run.env.value("git_commit", "");
  std::string text = commit.empty() ? "" : commit.substr(0, 12);
  if (run.env.value("dirty", false)) text += " with changes";
  return text;
}

/// "2026-01-31 12:00" of "2026-01-31T12:00:00Z".
std::string date_text(const std::string& utc) {
  std::string text = utc.substr(0, 16);
  std::replace(text.begin(), text.end(), 'T', ' ');
  return text;
}

struct Fact {
  std::string name, value;
  bool number = false;
};

/// The same names for every run; a value that does not exist is empty.
std::vector<Fact> machine_facts(const ReportRun& run) {
  const Json result = run.finished() ? run.record->result : Json::object();
  const Json train = result.value("train", Json::object());
  const double seconds = train.value("seconds", run.curves.seconds);
  return {{"training, validations included", seconds > 0 ? clock_text(seconds) : "", true},
          {"tasks a second", number_at(train, "tasks_per_second", "{:.1f}"), true},
          {"peak memory, MB", number_at(train, "peak_memory_bytes", "{:.0f}", 1e6), true},
          {"parameters", number_at(result, "parameters", "{:.0f}"), true},
          {"processor", run.env.value("cpu", "")},
          {"device", run.env.value("device", "")},
          {"GPU", run.env.value("gpu", "")},
          {"threads", number_at(run.env, "threads", "{:.0f}"), true},
          {"finished, UTC", date_text(result.value("run", Json::object()).value("finished", ""))},
          {"kshot", run.env.value("kshot", "")},
          {"LibTorch", run.env.value("libtorch", "")},
          {"compiler", run.env.value("compiler", "")},
          {"commit", code_text(run)}};
}

}  // namespace

Section spec_section(const Report& report) {
  std::string body =
      report.runs.size() == 1 ? summary_table(report.runs[0]) : differences_table(report);
  return {"spec", report.runs.size() == 1 ? "The spec" : "Differences between the specs",
          body + whole_specs(report)};
}

Section machine_section(const Report& report) {
  std::vector<std::vector<Fact>> facts;
  for (const ReportRun& run : report.runs) facts.push_back(machine_facts(run));
  const std::string caption = "What it was computed with, and how long it took";
  const bool runs_aside = report.runs.size() <= 3;
  std::vector<HtmlTable::Column> columns{{runs_aside ? "" : "run"}};
  if (runs_aside) {
    for (const ReportRun& run : report.runs) columns.push_back({run.label});
  } else {
    for (const Fact& fact : facts[0]) columns.push_back({fact.name, fact.number});
  }
  HtmlTable table(caption, columns);
  if (runs_aside) {
    for (size_t f = 0; f < facts[0].size(); ++f) {
      std::vector<Cell> cells{facts[0][f].name};
      for (const auto& of_run : facts) cells.emplace_back(of_run[f].value);
      if (std::any_of(cells.begin() + 1, cells.end(),
                      [](const Cell& c) { return !c.html.empty(); }))
        table.row(std::move(cells));
    }
  } else {
    for (size_t i = 0; i < report.runs.size(); ++i) {
      std::vector<Cell> cells{run_cell(report, report.runs[i])};
      for (const Fact& fact : facts[i]) cells.emplace_back(fact.value);
      table.row(std::move(cells));
    }
  }
  return {"machine", "Hardware and time", table.html()};
}

}  // namespace kshot
