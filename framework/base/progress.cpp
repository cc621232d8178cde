#include "framework/base/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace kshot {
namespace {

double seconds_between(std::chrono::steady_clock::time_point a,
                       std::chrono::steady_clock::time_point b) {
  return std::chrono::duration<double>(b - a).count();
}

/// "12.5/s  0:40 left  "; nothing before the first is done.
std::string pace_text(double rate, int64_t left) {
  constexpr double kSlow = 0.5;
  if (!(rate > 0)) return "";
  const std::string pace =
      rate < kSlow ? fmt::format("{:.1f}/min", 60 * rate) : fmt::format("{:.1f}/s", rate);
  return fmt::format("{}  {} left  ", pace, clock_text(static_cast<double>(left) / rate));
}

}  // namespace

bool use_colour(int descriptor) {
  const char* no_colour = std::getenv("NO_COLOR");
  return ::isatty(descriptor) == 1 && (no_colour == nullptr || *no_colour == '\0');
}

std::string clock_text(double seconds) {
  const int64_t total = std::llround(seconds);
  const int64_t hours = total / 3600, minutes = total / 60 % 60;
  return hours > 0 ? fmt::format("{}:{:02}:{:02}", hours, minutes, total % 60)
                   : fmt::format("{}:{:02}", minutes, total % 60);
}

Progress::Progress(std::string what, int64_t total, bool quiet)
    : what_(std::move(what)),
      total_(std::max<int64_t>(1, total)),
      quiet_(quiet),
      terminal_(::isatty(2) == 1),
      start_(Clock::now()),
      last_(start_) {}

Progress::~Progress() {
  if (drawn_ && terminal_) clear();
}

void Progress::update(int64_t done, const std::string& note) {
  if (first_done_ < 0) first_done_ = done;  // a resumed run starts in the middle
  done_ = done;
  if (!note.empty()) note_ = note;
  const auto now = Clock::now();
  const double interval = terminal_ ? 0.2 : 15;
  if (quiet_ || seconds_between(start_, now) < 2 || seconds_between(last_, now) < interval) return;
  last_ = now;
  draw();
}

void Progress::say(const std::string& line) {
  if (quiet_) return;
  if (drawn_ && terminal_) clear();
  fmt::print(stderr, "{}\n", line);
}

void Progress::draw() {
  const double elapsed = seconds_between(start_, last_);
  const double rate = static_cast<double>(done_ - first_done_) / std::max(elapsed, 1e-9);
  const double share = static_cast<double>(done_) / static_cast<double>(total_);
  const std::string numbers =
      fmt::format("{}/{}  {}{}", done_, total_, pace_text(rate, total_ - done_), note_);
  if (terminal_) {
    constexpr int kWidth = 24;
    const int filled = std::clamp(static_cast<int>(share * kWidth), 0, kWidth);
    fmt::print(stderr, "\r\033[K{} [{:#<{}}{:.<{}}] {}", what_, "", filled, "", kWidth - filled,
               numbers);
    std::fflush(stderr);
  } else {
    fmt::print(stderr, "{}: {:.0f} %  {}\n", what_, 100 * share, numbers);
  }
  drawn_ = true;
}

void Progress::clear() {
  fmt::print(stderr, "\r\033[K");
  std::fflush(stderr);
}

}  // namespace kshot
