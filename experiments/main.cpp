// The kshot command: finds the command, runs it, and turns what went wrong into one line and an
// exit code.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>
#include <system_error>
#include <tuple>
#include <vector>

#include "experiments/commands.h"
#include "framework/base/device.h"
#include "framework/base/error.h"
#include "framework/run/build_info.h"

namespace kshot {
namespace {

std::vector<Command> all_commands() {
  return {run_command_description(),
          sweep_command(),
          evaluate_command(),
          leaderboard_command(),
          compare_command(),
          report_command(),
          predict_command(),
          data_command(),
          weights_command(),
          episodes_command(),
          list_command(),
          describe_command(),
          bench_command()};
}

void print_overview(const std::vector<Command>& commands) {
  fmt::print(
      "kshot: few-shot and transfer learning, exact and fast\n\nusage: kshot COMMAND ...\n\n");
  for (const Command& command : commands)
    fmt::print("  {:<12} {}\n", command.name, command.summary);
  fmt::print(
      "\nkshot COMMAND --help tells more. A first run:\n"
      "  kshot run demo                 train and test ProtoNet on embedded drawn characters\n"
      "  kshot leaderboard              the table of all runs so far\n");
}

int dispatch(const std::vector<std::string>& words) {
  const std::vector<Command> commands = all_commands();
  if (words.empty() || words[0] == "--help" || words[0] == "-h" || words[0] == "help") {
    print_overview(commands);
    return words.empty() ? static_cast<int>(Exit::bad_spec) : 0;
  }
  if (words[0] == "--version") {
    fmt::print("kshot {} (source {})\n", build_info().version,
               build_info().source_id.substr(0, 12));
    return 0;
  }
  std::vector<std::string> names;
  for (const Command& command : commands) {
    if (command.name == words[0]) return run_command(command, {words.begin() + 1, words.end()});
    names.push_back(command.name);
  }
  throw Error(Exit::bad_spec, "unknown command \"{}\"{}; see kshot --help", words[0],
              did_you_mean(words[0], names));
}

/// Reading a mapped file past its end, where another process cut it, raises this signal.
extern "C" void on_cut_file(int) {
  constexpr std::string_view kMessage =
      "kshot: a data pack was cut short by another process while it was in use\n";
  std::ignore = ::write(STDERR_FILENO, kMessage.data(), kMessage.size());
  ::_exit(static_cast<int>(Exit::bad_data));
}

int report(Exit code, std::string message) {
  // One line, whatever a library put into its message.
  std::replace(message.begin(), message.end(), '\n', ' ');
  fmt::print(stderr, "kshot: {}\n", message);
  return static_cast<int>(code);
}

int guarded(const std::vector<std::string>& words) {
  try {
    const int code = dispatch(words);
    // What a full disk did to redirected output shows only here.
    if (std::fflush(stdout) != 0)
      return report(Exit::io, fmt::format("standard output: {}", std::strerror(errno)));
    return code;
  } catch (const Error& error) {
    return report(error.code(), error.what());
  } catch (const c10::Error& error) {
    return report(Exit::internal, std::string("internal error: ") + error.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    return report(Exit::internal, "out of memory: lower train.meta_batch, way, or --threads");
  } catch (const std::system_error&
               error) {  // fmt's, for output that cannot be written; the file system's
    return report(Exit::io, error.what());
  } catch (const std::exception& error) {
    return report(Exit::internal, std::string("internal error: ") + error.what());
  }
}

}  // namespace
}  // namespace kshot

int main(int argc, char** argv) {
  std::signal(SIGXFSZ,
              SIG_IGN);  // a file that may not grow is an error to report, not a reason to die
  std::signal(SIGBUS, kshot::on_cut_file);
  kshot::prepare_devices();
  at::set_num_threads(1);  // parallel work is the task engine's
  return kshot::guarded({argv + 1, argv + argc});
}
