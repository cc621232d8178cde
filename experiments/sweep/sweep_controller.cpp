#include "experiments/sweep/sweep_controller.h"

#include <chrono>
#include <deque>
#include <list>
#include <thread>

#include "experiments/records/run_lock.h"
#include "experiments/records/validation_record.h"
#include "experiments/sweep/trial_lock.h"
#include "experiments/sweep/trial_process.h"
#include "framework/base/atomic_file.h"
#include "framework/base/error.h"
#include "framework/base/progress.h"
#include "framework/run/stop_signal.h"

namespace kshot {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// The last line of a child's log: where it failed, the reason.
std::string last_line(const fs::path& log) {
  std::string text = read_file(log);
  while (text.ends_with('\n')) text.pop_back();
  return text.substr(text.find_last_of("\r\n") + 1);
}

/// What went wrong may go well another time: a full disk, a kill, a defect that depends on time.
bool may_go_well(int code) {
  return code != static_cast<int>(Exit::bad_spec) && code != static_cast<int>(Exit::bad_data) &&
         code != static_cast<int>(Exit::diverged);
}

class Controller {
 public:
  Controller(const SweepPlan& plan, const std::vector<const Trial*>& trials, SweepStage stage,
             const ControllerOptions& options)
      : plan_(plan),
        stage_(stage),
        options_(options),
        total_(static_cast<int64_t>(trials.size())),
        progress_(stage == SweepStage::train ? "sweep" : "sweep: test", total_, options.quiet) {
    for (const Trial* trial : trials) waiting_.push_back({trial, 0});
  }

  StageEnd run() {
    while (true) {
      if (stop_requested()) end_.stopped = true;
      if (ending()) {
        for (Running& running : running_) running.process.stop();
      } else {
        start_more();
      }
      collect();
      progress_.update(total_ - static_cast<int64_t>(waiting_.size() + running_.size()), note());
      if (running_.empty() && (ending() || waiting_.empty())) return end_;
      std::this_thread::sleep_for(kTick);
    }
  }

 private:
  struct Waiting {
    const Trial* trial;
    int attempts;
  };

  struct Running {
    const Trial* trial;
    int attempts;  // this one included
    std::unique_ptr<TrialLock> lock;
    TrialProcess process;
  };

  bool ending() const { return end_.stopped || end_.ended_early; }

  /// Fills the free places. Trials that others work on are looked at again a second later.
  void start_more() {
    const bool look = Clock::now() >= next_look_;
    if (running_.size() >= static_cast<size_t>(options_.jobs) || waiting_.empty() || !look) return;
    for (auto it = waiting_.begin(); it != waiting_.end();) {
      if (running_.size() >= static_cast<size_t>(options_.jobs)) return;
      if (settled(*it->trial) || start(*it)) {
        it = waiting_.erase(it);
      } else {
        ++it;
      }
    }
    next_look_ = Clock::now() + kLook;
  }

  /// Whether there is nothing to do for a trial, by this controller's work or another's.
  bool settled(const Trial& trial) {
    if (is_done(trial, stage_)) return true;
    const auto failure = find_failure(plan_, trial);
    if (!failure || !failure->diverged() || failure->stage != stage_name(stage_)) return false;
    ++end_.diverged;
    return true;
  }

  /// False where another controller has the trial, or a `kshot run` its folder.
  bool start(const Waiting& waiting) {
    const Trial& trial = *waiting.trial;
    if (RunLock::held(trial.folder.path())) return false;
    auto lock = TrialLock::acquire(plan_.file("locks"), trial.index);
    if (lock == nullptr) return false;
    if (settled(trial)) return true;  // in the meantime
    TrialProcess process(words_of(trial), log_of(trial), lock->descriptor());
    running_.push_back({&trial, waiting.attempts + 1, std::move(lock), std::move(process)});
    return true;
  }

  std::vector<std::string> words_of(const Trial& trial) const {
    std::vector<std::string> words = run_words(plan_, trial);
    words.insert(words.end(),
                 {"--device", options_.device, "--threads", std::to_string(options_.threads)});
    if (stage_ == SweepStage::train) words.emplace_back("--no-test");
    if (has_checkpoint(trial.folder.file("checkpoints"), "last")) words.emplace_back("--resume");
    return words;
  }

  fs::path log_of(const Trial& trial) const {
    return plan_.file("logs") / fmt::format("{}.log", trial.index);
  }

  void collect() {
    for (auto it = running_.begin(); it != running_.end();) {
      const bool ours = it->lock->beat();
      const std::optional<int> code = it->process.poll();
      if (ours && !code) {
        ++it;
        continue;
      }
      // Where this process stood still and another took the trial over, the child is killed.
      if (code) {
        ended(*it, *code);
      } else {
        waiting_.push_back({it->trial, it->attempts});
      }
      it = running_.erase(it);
      next_look_ = Clock::now();
    }
  }

  void ended(const Running& running, int code) {
    const Trial& trial = *running.trial;
    if (code == 0 && is_done(trial, stage_)) {
      remove_failure(plan_, trial);
      say(trial,
          stage_ == SweepStage::train ? validation_text(*find_validation(trial.folder)) : "tested");
      return;
    }
    if (code == static_cast<int>(Exit::stopped) && ending()) return;
    if (code == static_cast<int>(Exit::io) && RunLock::held(trial.folder.path())) {
      waiting_.push_back({&trial, running.attempts - 1});  // a `kshot run` came first
      return;
    }
    if (code == 0) code = static_cast<int>(Exit::internal);
    const std::string message = last_line(log_of(trial));
    if (may_go_well(code) && running.attempts <= options_.retries && !ending()) {
      say(trial, fmt::format("exit code {}, again: {}", code, message));
      waiting_.push_front({&trial, running.attempts});
      return;
    }
    const TrialFailure failure{.stage = stage_name(stage_), .exit = code, .message = message};
    write_failure(plan_, trial, failure);
    if (failure.diverged()) {
      ++end_.diverged;
    } else if (end_.failure == 0) {
      end_.failure = code;
    }
    say(trial,
        fmt::format("{}: {}", failure.diverged() ? "diverged" : fmt::format("exit code {}", code),
                    message));
    if (options_.fail_fast) end_.ended_early = true;
  }

  void say(const Trial& trial, const std::string& what) {
    progress_.say(
        fmt::format("trial {} ({}): {}", trial.index, settings_text(trial.settings), what));
  }

  std::string note() const {
    std::vector<std::string> indices;
    for (const Running& running : running_) indices.push_back(std::to_string(running.trial->index));
    if (indices.empty()) return waiting_.empty() ? "" : "waiting for other controllers";
    return fmt::format("at work: trial {}", fmt::join(indices, ", "));
  }

  static constexpr milliseconds kTick{20}, kLook{1000};

  const SweepPlan& plan_;
  SweepStage stage_;
  const ControllerOptions& options_;
  int64_t total_;
  Progress progress_;
  std::deque<Waiting> waiting_;
  std::list<Running> running_;
  StageEnd end_;
  Clock::time_point next_look_ = Clock::now();
};

}  // namespace

bool is_done(const Trial& trial, SweepStage stage) {
  return stage == SweepStage::train ? find_validation(trial.folder).has_value()
                                    : trial.folder.finished();
}

StageEnd run_trials(const SweepPlan& plan, const std::vector<const Trial*>& trials,
                    SweepStage stage, const ControllerOptions& options) {
  return Controller(plan, trials, stage, options).run();
}

}  // namespace kshot
