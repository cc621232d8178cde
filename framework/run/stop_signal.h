#pragma once

namespace kshot {

/// From here on SIGINT, SIGTERM and SIGUSR1 (a batch system's word that time is nearly up) ask for
/// an orderly end instead of killing the process; a second signal kills it after all.
void catch_stop_signals();

/// Whether one came.
bool stop_requested();

/// For tests: as if a signal had come, or as if none had.
void set_stop_requested(bool requested);

}  // namespace kshot
