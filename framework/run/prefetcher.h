#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "framework/run/episode.h"

namespace kshot {

/// Loads the tasks of coming iterations in a thread of its own. What is drawn does not depend on
/// it: iteration i has the tasks [i * meta_batch, (i + 1) * meta_batch), grouped by shape.
class Prefetcher {
 public:
  Prefetcher(std::shared_ptr<const TaskSource> source, int64_t meta_batch, int64_t first_iteration,
             int64_t end_iteration, int64_t depth = 2);
  ~Prefetcher();
  Prefetcher(const Prefetcher&) = delete;
  Prefetcher& operator=(const Prefetcher&) = delete;

  /// The next iteration's tasks; throws what loading them threw.
  std::vector<Episodes> next();

 private:
  void load_all(int64_t first, int64_t end);

  std::shared_ptr<const TaskSource> source_;
  int64_t meta_batch_, depth_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::vector<Episodes>> ready_;
  std::exception_ptr failure_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace kshot
