#include "tests/base/kill.h"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <stdexcept>
#include <string>

#include "framework/base/fault_point.h"

namespace kshot {
namespace {

std::atomic<int> points_left{0};  // 0: no death is planned

}  // namespace

/// In the place of the program's, which does nothing.
void fault_point() {
  if (points_left > 0 && --points_left == 0) std::raise(SIGKILL);
}

namespace test {

bool killed_at(int n, const std::function<void()>& body) {
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("no child process");
  if (child == 0) {
    points_left = n;
    try {
      body();
      ::_exit(0);
    } catch (...) {
      ::_exit(1);
    }
  }
  int status = 0;
  if (::waitpid(child, &status, 0) != child) throw std::runtime_error("the child was lost");
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) return true;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return false;
  throw std::runtime_error("the child ended with status " + std::to_string(status));
}

}  // namespace test
}  // namespace kshot
