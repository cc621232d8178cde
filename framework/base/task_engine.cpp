#include "framework/base/task_engine.h"

#include <ATen/Parallel.h>

#include <algorithm>

namespace kshot {

TaskEngine::TaskEngine(int threads) {
  for (int i = 0; i < std::max(1, threads); ++i) workers_.emplace_back([this, i] { worker(i); });
}

TaskEngine::~TaskEngine() {
  {
    const std::scoped_lock lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void TaskEngine::run_ordered(int64_t count, int intra_op_threads,
                             const std::function<void(int64_t)>& compute,
                             const std::function<void(int64_t)>& take) {
  Job job;
  job.count = count;
  job.intra_op_threads = intra_op_threads;
  job.computed.resize(static_cast<size_t>(count));
  job.compute = &compute;
  job.take = &take;
  std::unique_lock lock(mutex_);
  job_ = &job;
  changed_.notify_all();
  changed_.wait(
      lock, [&] { return job.active == 0 && (job.failure != nullptr || job.taken == job.count); });
  job_ = nullptr;
  if (job.failure) std::rethrow_exception(job.failure);
}

void TaskEngine::worker(int64_t number) {
  std::unique_lock lock(mutex_);
  while (true) {
    // A single item always goes to worker 0: its intra-op threads are warm, and another worker's
    // would only compete with them.
    changed_.wait(lock, [this, number] {
      return stop_ || (job_ != nullptr && number < job_->count && job_->next < job_->count &&
                       job_->failure == nullptr);
    });
    if (stop_) return;
    Job& job = *job_;
    ++job.active;
    work_on(job, lock);
    --job.active;
    changed_.notify_all();
  }
}

void TaskEngine::work_on(Job& job, std::unique_lock<std::mutex>& lock) {
  // A fresh thread has its own OpenMP thread count, which nothing inherits.
  if (at::get_num_threads() != job.intra_op_threads) at::set_num_threads(job.intra_op_threads);
  int64_t waiting = -1;  // this worker's last result, if it was not its turn yet
  while (job.next < job.count && job.failure == nullptr) {
    const int64_t item = job.next++;
    lock.unlock();
    std::exception_ptr failure;
    try {
      (*job.compute)(item);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    if (failure) {
      if (job.failure == nullptr || item < job.failed_item) {
        job.failure = failure;
        job.failed_item = item;
      }
      return;
    }
    // Two results at most: the previous one must be taken before this one may wait.
    changed_.wait(lock, [&] { return waiting < job.taken || job.failure != nullptr; });
    job.computed[static_cast<size_t>(item)] = true;
    waiting = item;
    take_in_order(job);
  }
}

void TaskEngine::take_in_order(Job& job) {
  while (job.failure == nullptr && job.taken < job.count &&
         job.computed[static_cast<size_t>(job.taken)]) {
    try {
      (*job.take)(job.taken);
    } catch (...) {
      job.failure = std::current_exception();
      job.failed_item = job.taken;
    }
    ++job.taken;
  }
  changed_.notify_all();
}

}  // namespace kshot
