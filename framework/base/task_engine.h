#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace kshot {

/// Worker threads for tasks. Work items are computed side by side, but their results are taken in
/// by index, so what comes out does not depend on the number of threads. A worker holds at most two
/// results: one that waits for its turn and the one being computed.
class TaskEngine {
 public:
  explicit TaskEngine(int threads);
  ~TaskEngine();
  TaskEngine(const TaskEngine&) = delete;
  TaskEngine& operator=(const TaskEngine&) = delete;

  int threads() const { return static_cast<int>(workers_.size()); }

  /// Calls take(i, compute(i)) for i = 0 .. count-1: compute in any worker, each with
  /// `intra_op_threads` LibTorch threads; take by one thread at a time, in order of i.
  /// Throws what the first failing item threw, after all workers have stopped.
  template <class Result>
  void run(int64_t count, int intra_op_threads, const std::function<Result(int64_t)>& compute,
           const std::function<void(int64_t, Result)>& take) {
    std::vector<std::optional<Result>> results(static_cast<size_t>(count));
    run_ordered(
        count, intra_op_threads,
        [&](int64_t i) { results[static_cast<size_t>(i)].emplace(compute(i)); },
        [&](int64_t i) {
          auto& slot = results[static_cast<size_t>(i)];
          take(i, std::move(*slot));
          slot.reset();
        });
  }

 private:
  struct Job {
    int64_t count = 0, next = 0, taken = 0;  // next to compute, next to take
    int intra_op_threads = 1;
    std::vector<bool> computed;
    const std::function<void(int64_t)>* compute = nullptr;
    const std::function<void(int64_t)>* take = nullptr;
    std::exception_ptr failure;
    int64_t failed_item = 0;
    int active = 0;
  };

  void run_ordered(int64_t count, int intra_op_threads, const std::function<void(int64_t)>& compute,
                   const std::function<void(int64_t)>& take);
  void worker(int64_t number);
  void work_on(Job& job, std::unique_lock<std::mutex>& lock);
  void take_in_order(Job& job);

  std::mutex mutex_;
  std::condition_variable changed_;
  Job* job_ = nullptr;
  bool stop_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace kshot
