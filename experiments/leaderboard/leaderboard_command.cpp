// kshot leaderboard: all finished runs, one table for each definition of the test tasks.
#include <array>

#include "experiments/commands.h"
#include "experiments/leaderboard/leaderboard_document.h"
#include "experiments/records/run_folder.h"
#include "experiments/verification/verification.h"
#include "framework/base/atomic_file.h"
#include "framework/base/error.h"
#include "framework/base/progress.h"
#include "framework/run/stop_signal.h"

namespace kshot {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> folders_of(const Arguments& arguments) {
  if (arguments.count("folder") > 0) {
    const auto& words = arguments["folder"].as<std::vector<std::string>>();
    std::vector<fs::path> folders;
    for (const std::string& word : words) folders.push_back(existing_or_under("results", word));
    return folders;
  }
  if (!fs::is_directory("results")) {
    throw Error(
        Exit::bad_spec,
        "there is no folder results/ here: \"kshot run demo\" makes a first run, or name folders");
  }
  return {"results"};
}

std::string names_of(const std::vector<fs::path>& folders) {
  std::vector<std::string> names;
  for (const fs::path& folder : folders) names.push_back(folder.string());
  return fmt::format("{}", fmt::join(names, ", "));
}

/// --format, of which --json is a shorter name.
std::string format_of(const Arguments& arguments) {
  constexpr std::array kFormats = {"text", "md", "html", "tex", "json"};
  const std::string format = arguments["format"].as<std::string>();
  if (std::find(kFormats.begin(), kFormats.end(), format) == kFormats.end()) {
    throw Error(Exit::bad_spec, "--format is \"{}\", expected {}", format,
                fmt::join(kFormats, ", "));
  }
  if (!flag(arguments, "json")) return format;
  if (!arguments["format"].defaulted() && format != "json")
    throw Error(Exit::bad_spec, "--json and --format {} ask for two formats", format);
  return "json";
}

/// To --out, whole or not at all, or to standard output.
void deliver(const Arguments& arguments, const std::string& text) {
  if (arguments.count("out") == 0) {
    fmt::print("{}", text);
    return;
  }
  const std::string file = arguments["out"].as<std::string>();
  write_file_atomically(file, text);
  fmt::print(stderr, "wrote {}\n", file);
}

[[noreturn]] void refuse_nothing(const std::vector<fs::path>& folders, const Records& records) {
  if (!records.warnings.empty()) {
    throw Error(Exit::bad_data, "none of the {} records under {} can be used",
                records.warnings.size(), names_of(folders));
  }
  throw Error(Exit::bad_spec, "no finished run under {}: \"kshot run demo\" makes a first one",
              names_of(folders));
}

std::string rendered(const TableDocument& document, const std::string& format, bool bold) {
  if (format == "md") return render_markdown(document);
  if (format == "html") return render_html(document);
  if (format == "tex") return render_latex(document);
  return render_text(document, bold);
}

int rank_runs(const Arguments& arguments) {
  const std::string format = format_of(arguments);
  const std::vector<fs::path> folders = folders_of(arguments);
  const Records records = read_records(folders);
  for (const std::string& warning : records.warnings)
    fmt::print(stderr, "kshot: warning: {}\n", warning);
  if (records.runs.empty()) refuse_nothing(folders, records);
  const std::vector<LeaderboardTable> tables = make_leaderboard(records.runs);
  const bool wide = flag(arguments, "grid");
  if (format == "json") {
    Json json = leaderboard_json(tables, records);
    if (wide) json["grid"] = grid_json(make_grid(tables));
    deliver(arguments, json.dump(1) + "\n");
    return 0;
  }
  const TableDocument document =
      wide ? grid_document(make_grid(tables), records) : leaderboard_document(tables, records);
  const bool bold = arguments.count("out") == 0 && use_colour(1);
  deliver(arguments, rendered(document, format, bold));
  return 0;
}

int verify_runs(const Arguments& arguments) {
  const std::string format = format_of(arguments), kind = arguments["verify"].as<std::string>();
  if (!kind.empty() && kind != "rerun")
    throw Error(Exit::bad_spec, "--verify is \"{}\", expected nothing or rerun", kind);
  if (format != "text" && format != "json")
    throw Error(Exit::bad_spec, "--verify tells as text or json, not as {}", format);
  const std::vector<fs::path> folders = folders_of(arguments);
  const RunFolders found = find_run_folders(folders);
  if (found.finished.empty()) refuse_nothing(folders, {});
  std::optional<TaskEngine> engine;
  if (kind == "rerun") {
    catch_stop_signals();
    engine.emplace(threads_of(arguments));
  }
  const std::vector<VerifiedRecord> records =
      verify_records(found.finished, engine ? &*engine : nullptr, flag(arguments, "quiet"));
  deliver(arguments, format == "json" ? verification_json(records).dump(1) + "\n"
                                      : verification_text(records));
  if (stop_requested()) throw Error(Exit::stopped, "stopped by a signal before all were rerun");
  const bool all_stand = std::all_of(records.begin(), records.end(),
                                     [](const VerifiedRecord& record) { return record.stands(); });
  return all_stand ? 0 : static_cast<int>(Exit::bad_data);
}

int leaderboard(const Arguments& arguments) {
  return flag(arguments, "verify") ? verify_runs(arguments) : rank_runs(arguments);
}

}  // namespace

Command leaderboard_command() {
  Command command;
  command.name = "leaderboard";
  command.summary = "rank all finished runs; methods that cannot be told apart share a rank";
  command.usage =
      "leaderboard [RESULTS...] [--format text|md|html|tex|json] [--grid] [--out FILE]\n"
      "       kshot leaderboard [RESULTS...] --verify | --verify=rerun";
  command.details =
      R"(RESULTS are folders with runs, runs, or names under results/; by default all that is there. Runs that
met the same test tasks stand in one table, and are compared in pairs on those tasks; runs on other
tasks stand in another table, never in one mean. Runs that differ in the training seed alone are one
method: its accuracy is their mean. --grid sets the tables side by side, as papers do: methods as
rows, data sets and shots as columns.

Columns: "episodes" is the 95 % interval for exactly these tasks, "classes" that for new classes;
"agrees" says whether the paper's number lies within ours. Flags: transductive (queries are answered
together), extra data (given weights, other data sets, validation classes), leaked classes, dirty
(made by uncommitted code), deviations from the paper, not comparable (by the spec's own word).

Every figure is derived again from the record's episode lines; a record that states others is left
out. --verify checks all of a record: its id against the spec, its figures against the lines, its
tasks drawn again without the pixels. It says "consistent", not "true". --verify=rerun tests the
weights again where checkpoint and data are at hand, and compares digit for digit. Either exits with
65 where a record does not hold.

  kshot leaderboard
  kshot leaderboard demo demo-untrained results/published --json
  kshot leaderboard --grid --format tex --out table.tex
  kshot leaderboard results/published --verify)";
  command.positional = {"folder..."};
  command.options.add_options()(
      "format", po::value<std::string>()->default_value("text")->value_name("FORMAT"),
      "text, md (Markdown), html, tex (LaTeX with booktabs) or json")(
      "grid", "one wide table: methods by data set and shot")(
      "out", po::value<std::string>()->value_name("FILE"), "write there, not to the terminal")(
      "verify", po::value<std::string>()->implicit_value("")->value_name("[=rerun]"),
      "check the records; with =rerun, test their weights again")(
      "threads", po::value<int>()->value_name("N"), "task threads of a rerun")(
      "quiet", "no progress on stderr");
  add_json_option(command.options);
  command.run = leaderboard;
  return command;
}

}  // namespace kshot
