#include "framework/run/stop_signal.h"

#include <atomic>
#include <csignal>

namespace kshot {
namespace {

std::atomic<bool> requested{false};

extern "C" void on_signal(int signal) {
  if (requested.exchange(true)) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
}

}  // namespace

void catch_stop_signals() {
  struct sigaction action{};
  action.sa_handler = on_signal;
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) sigaction(signal, &action, nullptr);
}

bool stop_requested() { return requested.load(); }

void set_stop_requested(bool value) { requested.store(value); }

}  // namespace kshot
