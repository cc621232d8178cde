#pragma once

namespace kshot {

/// From here on SIGINT and SIGTERM ask for an orderly end instead of killing the process; a second
/// SIGINT kills it after all.
void catch_stop_signals();

/// Whether one came.
bool stop_requested();

/// For tests: as if a signal had come, or as if none had.
void set_stop_requested(bool requested);

}  // namespace kshot
