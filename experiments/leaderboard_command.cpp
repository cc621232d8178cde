// kshot leaderboard: all finished runs, one table for each definition of the test tasks.
#include "experiments/commands.h"
#include "experiments/leaderboard.h"
#include "experiments/run_folder.h"
#include "framework/base/error.h"
#include "framework/base/progress.h"

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

bool wants_json(const Arguments& arguments) {
  const std::string format = arguments["format"].as<std::string>();
  if (format == "md" || format == "html" || format == "tex") {
    throw Error(Exit::bad_spec, "--format {} is not there yet: expected text or json", format);
  }
  if (format != "text" && format != "json") {
    throw Error(Exit::bad_spec, "--format is \"{}\", expected text or json", format);
  }
  return format == "json" || flag(arguments, "json");
}

int leaderboard(const Arguments& arguments) {
  const bool json = wants_json(arguments);
  const std::vector<fs::path> folders = folders_of(arguments);
  const Records records = read_records(folders);
  for (const std::string& warning : records.warnings)
    fmt::print(stderr, "kshot: warning: {}\n", warning);
  if (records.runs.empty()) {
    std::vector<std::string> names;
    for (const fs::path& folder : folders) names.push_back(folder.string());
    if (!records.warnings.empty()) {
      throw Error(Exit::bad_data, "none of the {} records under {} can be used",
                  records.warnings.size(), fmt::join(names, ", "));
    }
    throw Error(Exit::bad_spec, "no finished run under {}: \"kshot run demo\" makes a first one",
                fmt::join(names, ", "));
  }
  const std::vector<LeaderboardTable> tables = make_leaderboard(records.runs);
  if (json) {
    fmt::print("{}\n", leaderboard_json(tables, records).dump(1));
  } else {
    fmt::print("{}", leaderboard_text(tables, use_colour(1)));
  }
  return 0;
}

}  // namespace

Command leaderboard_command() {
  Command command;
  command.name = "leaderboard";
  command.summary = "rank all finished runs; methods that cannot be told apart share a rank";
  command.usage = "leaderboard [RESULTS...] [--format text|json]";
  command.details =
      "RESULTS are folders with runs, runs, or names under results/; by default all that is there. "
      "Runs that\n"
      "met the same test tasks stand in one table, and are compared in pairs on those tasks; runs "
      "on "
      "other\n"
      "tasks stand in another table. Runs that differ in the training seed alone are one method: "
      "its accuracy\n"
      "is their mean. Every figure is derived again from the record's episode lines; a record that "
      "states\n"
      "others is left out.\n\n"
      "  kshot leaderboard\n"
      "  kshot leaderboard demo demo-untrained results/published --json";
  command.positional = {"folder..."};
  command.options.add_options()(
      "format", po::value<std::string>()->default_value("text")->value_name("FORMAT"),
      "text or json");
  add_json_option(command.options);
  command.run = leaderboard;
  return command;
}

}  // namespace kshot
