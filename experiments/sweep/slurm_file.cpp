#include "experiments/sweep/slurm_file.h"

#include <filesystem>

namespace kshot {
namespace {

namespace fs = std::filesystem;

/// A word that the shell takes as it is.
std::string quoted(const std::string& word) {
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

std::string command(const SweepPlan& plan, const SlurmOptions& options) {
  return fmt::format("{} sweep {} --results {} --device {}",
                     quoted(fs::read_symlink("/proc/self/exe").string()),
                     quoted(fs::absolute(plan.file("sweep.json")).string()),
                     quoted(fs::absolute(plan.results).string()), quoted(options.device));
}

}  // namespace

std::string slurm_text(const SweepPlan& plan, const SlurmOptions& options) {
  const std::string limit = options.at_a_time ? fmt::format("%{}", *options.at_a_time) : "";
  const std::string logs = fs::absolute(plan.file("logs")).string();
  const std::string gpu = options.device == "cpu" ? "" : "#SBATCH --gres=gpu:1\n";
  return fmt::format(R"(#!/bin/bash
# The {trials} trials of {name}, sweep {id}: each task of this array trains one.
#   sbatch --time=4:00:00 THIS_FILE      options given here go before those below
# When all are done, the table, and the test of what validation chose:
#   {command}
#SBATCH --job-name={name}
#SBATCH --array=0-{last}{limit}
#SBATCH --ntasks=1
#SBATCH --cpus-per-task={threads}
{gpu}#SBATCH --time=4:00:00
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --chdir={here}
#SBATCH --output={logs}/slurm-%a.out

{command} \
  --threads "$SLURM_CPUS_PER_TASK" --only "$SLURM_ARRAY_TASK_ID" &
trial=$!
time_is_up=
# USR1: the time is nearly up. TERM: cancelled. Either way the trial stops after its current step.
trap 'time_is_up=yes; kill -TERM "$trial"' USR1
trap 'kill -TERM "$trial"' TERM
wait "$trial"
code=$?
# A signal ends the wait, and not the trial.
while kill -0 "$trial" 2>/dev/null; do
  wait "$trial"
  code=$?
done
if [ -n "$time_is_up" ]; then scontrol requeue "$SLURM_JOB_ID"; fi
exit "$code"
)",
                     fmt::arg("trials", plan.trials.size()), fmt::arg("name", plan.name),
                     fmt::arg("id", plan.id), fmt::arg("last", plan.trials.size() - 1),
                     fmt::arg("limit", limit), fmt::arg("threads", options.threads),
                     fmt::arg("gpu", gpu), fmt::arg("here", fs::current_path().string()),
                     fmt::arg("logs", logs), fmt::arg("command", command(plan, options)));
}

}  // namespace kshot
