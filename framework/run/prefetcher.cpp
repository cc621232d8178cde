#include "framework/run/prefetcher.h"

#include "framework/base/error.h"

namespace kshot {

Prefetcher::Prefetcher(std::shared_ptr<const TaskSource> source, int64_t meta_batch,
                       int64_t first_iteration, int64_t end_iteration, int64_t depth)
    : source_(std::move(source)), meta_batch_(meta_batch), depth_(depth) {
  thread_ = std::thread([this, first_iteration, end_iteration] {
    at::set_num_threads(1);
    try {
      load_all(first_iteration, end_iteration);
      throw Error(Exit::internal,
                  "the tasks of iteration {} were asked for, those before it prefetched",
                  end_iteration);
    } catch (...) {
      const std::scoped_lock lock(mutex_);
      failure_ = std::current_exception();
    }
    changed_.notify_all();
  });
}

Prefetcher::~Prefetcher() {
  {
    const std::scoped_lock lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Prefetcher::load_all(int64_t first, int64_t end) {
  for (int64_t iteration = first; iteration < end; ++iteration) {
    std::vector<TaskPlan> plans;
    for (int64_t t = 0; t < meta_batch_; ++t) {
      plans.push_back(source_->plan(static_cast<uint64_t>(iteration * meta_batch_ + t)));
    }
    std::vector<Episodes> groups = load_groups(*source_, plans);
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stop_ || static_cast<int64_t>(ready_.size()) < depth_; });
    if (stop_) return;
    ready_.push_back(std::move(groups));
    changed_.notify_all();
  }
}

std::vector<Episodes> Prefetcher::next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !ready_.empty() || failure_; });
  if (ready_.empty()) std::rethrow_exception(failure_);
  std::vector<Episodes> groups = std::move(ready_.front());
  ready_.pop_front();
  changed_.notify_all();
  return groups;
}

}  // namespace kshot
