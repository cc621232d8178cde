#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "framework/run/meta_batch.h"

namespace kshot {

/// Draws and loads the tasks of coming iterations in a thread of its own. What is drawn does not
/// depend on it: iteration i has the tasks [i * meta_batch, (i + 1) * meta_batch).
class Prefetcher {
 public:
  /// At most `ahead` pieces (see MetaBatch) are loaded and not taken yet: one for each thread that
  /// takes and one more let none wait.
  Prefetcher(std::shared_ptr<const TaskSource> source, int64_t meta_batch, bool batched,
             int64_t first_iteration, int64_t end_iteration, int64_t ahead);
  ~Prefetcher();
  Prefetcher(const Prefetcher&) = delete;
  Prefetcher& operator=(const Prefetcher&) = delete;

  /// The next iteration's tasks, which must not outlive the prefetcher; all pieces of an iteration
  /// are taken before those of the next. Throws what drawing them threw.
  MetaBatch next();

  /// Seconds that next() and take() have waited so far, summed over the threads that did.
  double waited();

 private:
  struct Iteration {
    std::vector<TaskPlan> plans;
    std::vector<std::span<const TaskPlan>> pieces;  ///< of plans
    std::vector<std::optional<Episodes>> loaded;    ///< empty before, and once taken
  };

  void load_all(int64_t first, int64_t end);
  bool load_pieces(Iteration& iteration);  ///< false if told to stop
  Episodes take(Iteration& iteration, size_t piece);
  template <class Ready>
  void wait_until(std::unique_lock<std::mutex>& lock, Ready ready);

  std::shared_ptr<const TaskSource> source_;
  int64_t meta_batch_, ahead_;
  bool batched_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Iteration>> drawn_;  ///< and not handed out by next() yet
  int64_t waiting_ = 0;                           ///< pieces loaded and not taken
  double waited_ = 0;
  std::exception_ptr failure_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace kshot
