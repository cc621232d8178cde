#include "experiments/sweep/trial_process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "framework/base/error.h"

namespace kshot {
namespace {

constexpr int kNotStarted = 127;

/// In the child, where nothing but the simplest calls of the system is safe.
[[noreturn]] void become(char* const* words, int log, int inherited, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(kNotStarted);
  // A group of its own: Ctrl-C reaches the parent alone, which then asks the child once.
  ::setpgid(0, 0);
  const int nothing = ::open("/dev/null", O_RDONLY);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  ::fcntl(inherited, F_SETFD, 0);
  ::execv("/proc/self/exe", words);
  ::_exit(kNotStarted);
}

}  // namespace

TrialProcess::TrialProcess(const std::vector<std::string>& words, const std::filesystem::path& log,
                           int inherited) {
  const int output = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (output < 0)
    throw Error(Exit::io, "{}: cannot be opened: {}", log.string(), std::strerror(errno));
  std::vector<std::string> all{"kshot"};
  all.insert(all.end(), words.begin(), words.end());
  std::vector<char*> pointers;
  for (std::string& word : all) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  const pid_t parent = ::getpid();
  id_ = ::fork();
  if (id_ == 0) become(pointers.data(), output, inherited, parent);
  const int reason = errno;
  ::close(output);
  if (id_ < 0) throw Error(Exit::io, "a trial cannot be started: {}", std::strerror(reason));
}

TrialProcess::~TrialProcess() {
  if (id_ < 0) return;
  ::kill(id_, SIGKILL);
  ::waitpid(id_, nullptr, 0);
}

TrialProcess::TrialProcess(TrialProcess&& other) noexcept
    : id_(std::exchange(other.id_, -1)), stopped_(other.stopped_) {}

std::optional<int> TrialProcess::poll() {
  int status = 0;
  if (::waitpid(id_, &status, WNOHANG) != id_) return std::nullopt;
  id_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void TrialProcess::stop() {
  if (id_ >= 0 && !stopped_) ::kill(id_, SIGTERM);
  stopped_ = true;
}

}  // namespace kshot
