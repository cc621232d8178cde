#pragma once

#include "experiments/command_line.h"

namespace kshot {

Command run_command_description();
Command evaluate_command();
Command predict_command();
Command episodes_command();
Command data_command();
Command list_command();
Command describe_command();
Command bench_command();
Command leaderboard_command();
Command compare_command();
Command sweep_command();
Command report_command();
Command weights_command();

}  // namespace kshot
