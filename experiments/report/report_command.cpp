// kshot report: one page that shows what runs found.
#include <stdexcept>

#include "experiments/commands.h"
#include "experiments/records/run_folder.h"
#include "experiments/report/report.h"
#include "framework/base/atomic_file.h"
#include "framework/base/error.h"
#include "framework/base/progress.h"

namespace kshot {
namespace {

namespace fs = std::filesystem;

std::vector<ReportRun> read_runs(const std::vector<fs::path>& folders, bool quiet) {
  Progress progress("records", static_cast<int64_t>(folders.size()), quiet);
  std::vector<ReportRun> runs;
  for (const fs::path& folder : folders) {
    runs.push_back(read_report_run(folder));
    progress.update(static_cast<int64_t>(runs.size()));
  }
  return runs;
}

/// The page. What is not as kshot writes it, though it is JSON, shows only where it is used.
std::string page_of(std::vector<ReportRun> runs, const ReportOptions& options) {
  try {
    return report_html(make_report(std::move(runs), options));
  } catch (const Json::exception& problem) {
    throw Error(Exit::bad_data, "a record is not as kshot writes it: {}", problem.what());
  } catch (const std::out_of_range& problem) {
    throw Error(Exit::bad_data, "a record names what it does not hold: {}", problem.what());
  }
}

int report(const Arguments& arguments) {
  const std::string usage = report_command().usage;
  if (arguments.count("run") == 0)
    throw Error(Exit::bad_spec, "RUN is missing: usage: kshot {}", usage);
  const fs::path out = required(arguments, "out", usage);
  std::vector<fs::path> named;
  for (const std::string& word : arguments["run"].as<std::vector<std::string>>())
    named.push_back(existing_or_under("results", word));
  const std::vector<fs::path> folders = report_folders(named);
  write_file_atomically(out, page_of(read_runs(folders, flag(arguments, "quiet")),
                                     {.images = !flag(arguments, "no-images")}));
  fmt::print("{}\n", out.string());
  return 0;
}

}  // namespace

Command report_command() {
  Command command;
  command.name = "report";
  command.summary = "one HTML page with curves, tasks, classes and settings of runs";
  command.usage = "report RUN... --out FILE.html [--no-images]";
  command.details =
      "RUN is a run's folder, a folder that holds runs, or a name under results/; unfinished runs "
      "are shown\n"
      "as far as they came. The page needs no network: it can be mailed and archived. Three runs "
      "or more of\n"
      "one algorithm that differ in settings also get the main effects of these. A few test tasks "
      "are drawn\n"
      "as pictures where the data are at hand; --no-images leaves them out, for data that may not "
      "be passed on.\n\n"
      "  kshot report results/demo --out demo.html\n"
      "  kshot report demo demo-untrained --out both.html --no-images";
  command.positional = {"run..."};
  command.options.add_options()("out", po::value<std::string>()->value_name("FILE"),
                                "the HTML file to write")(
      "no-images", "leave pictures of the data out")("quiet", "no progress on stderr");
  command.run = report;
  return command;
}

}  // namespace kshot
