#include "experiments/verification/rerun.h"

#include "experiments/run/retest.h"
#include "framework/base/device.h"
#include "framework/base/error.h"

namespace kshot {
namespace {

namespace fs = std::filesystem;

Rerun impossible(std::string why) {
  return {.outcome = Rerun::Outcome::impossible, .details = {std::move(why)}};
}

Rerun compared(const ReopenedRun& run, TaskEngine& engine, bool quiet) {
  const std::string made_on = run.folder.env().value("device", "cpu"),
                    here = device_kind(run.experiment.compute.device);
  if (made_on != here)
    return impossible(fmt::format("it was made on {}; there is only {} here", made_on, here));
  const auto evaluation = test_again(run, engine, quiet);
  if (!evaluation) return {.outcome = Rerun::Outcome::stopped};
  std::vector<std::string> details = differences_from_record(run, *evaluation);
  if (details.empty()) return {.outcome = Rerun::Outcome::same};
  if (const std::string others = other_circumstances(run); !others.empty())
    details.push_back("other digits may come of this:" + others);
  return {.outcome = Rerun::Outcome::differs, .details = details};
}

}  // namespace

Rerun rerun_record(const fs::path& folder, TaskEngine& engine, bool quiet) {
  if (RunFolder(folder).result().contains("evaluation"))
    return impossible("an evaluation has no weights of its own: verify its run");
  try {
    return compared(reopen_run(folder.string(), {}, ""), engine, quiet);
  } catch (const Error& problem) {
    return impossible(problem.what());
  }
}

const char* outcome_text(Rerun::Outcome outcome) {
  switch (outcome) {
    case Rerun::Outcome::same:
      return "same";
    case Rerun::Outcome::differs:
      return "differs";
    case Rerun::Outcome::impossible:
      return "not rerun";
    case Rerun::Outcome::stopped:
      return "stopped";
  }
  throw Error(Exit::internal, "an unknown outcome of a rerun");
}

}  // namespace kshot
