#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace kshot {

/// Progress of something long, on stderr: a bar with rate and remaining time on a terminal, one
/// plain line now and then otherwise. Silent where `quiet`, and for anything under two seconds.
class Progress {
 public:
  Progress(std::string what, int64_t total, bool quiet = false);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `done` of the total; `note` stands behind the bar ("loss 0.31  val 95.2 %").
  void update(int64_t done, const std::string& note = {});
  /// A line of its own between the bar's.
  void say(const std::string& line);

 private:
  using Clock = std::chrono::steady_clock;
  void draw();
  void clear();

  std::string what_, note_;
  int64_t total_, done_ = 0, first_done_ = -1;
  bool quiet_, terminal_, drawn_ = false;
  Clock::time_point start_, last_;
};

/// Whether colour and cursor movement suit this stream (1 stdout, 2 stderr): a terminal, and
/// NO_COLOR is not set.
bool use_colour(int descriptor);

/// "2:05" or "1:02:05".
std::string clock_text(double seconds);

}  // namespace kshot
