#include "framework/run/prefetcher.h"

#include <chrono>

#include "framework/base/error.h"

namespace kshot {

Prefetcher::Prefetcher(std::shared_ptr<const TaskSource> source, int64_t meta_batch, bool batched,
                       int64_t first_iteration, int64_t end_iteration, int64_t ahead)
    : source_(std::move(source)), meta_batch_(meta_batch), ahead_(ahead), batched_(batched) {
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
  for (int64_t i = first; i < end; ++i) {
    const auto iteration = std::make_shared<Iteration>();
    iteration->plans = plans_of(*source_, i, meta_batch_);
    iteration->pieces = cut_plans(iteration->plans, batched_);
    iteration->loaded.resize(iteration->pieces.size());
    {
      const std::scoped_lock lock(mutex_);
      drawn_.push_back(iteration);
    }
    changed_.notify_all();
    if (!load_pieces(*iteration)) return;
  }
}

bool Prefetcher::load_pieces(Iteration& iteration) {
  std::unique_lock lock(mutex_);
  for (size_t i = 0; i < iteration.pieces.size(); ++i) {
    changed_.wait(lock, [this] { return stop_ || waiting_ < ahead_; });
    if (stop_) return false;
    lock.unlock();
    Episodes piece = source_->load(iteration.pieces[i]);
    lock.lock();
    iteration.loaded[i] = std::move(piece);
    ++waiting_;
    changed_.notify_all();
  }
  return true;
}

template <class Ready>
void Prefetcher::wait_until(std::unique_lock<std::mutex>& lock, Ready ready) {
  if (ready()) return;
  const auto start = std::chrono::steady_clock::now();
  changed_.wait(lock, ready);
  waited_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

MetaBatch Prefetcher::next() {
  std::unique_lock lock(mutex_);
  wait_until(lock, [this] { return !drawn_.empty() || failure_ != nullptr; });
  if (drawn_.empty()) std::rethrow_exception(failure_);
  const std::shared_ptr<Iteration> iteration = std::move(drawn_.front());
  drawn_.pop_front();
  return {static_cast<int64_t>(iteration->pieces.size()),
          [this, iteration](int64_t i) { return take(*iteration, static_cast<size_t>(i)); }};
}

Episodes Prefetcher::take(Iteration& iteration, size_t piece) {
  std::unique_lock lock(mutex_);
  std::optional<Episodes>& slot = iteration.loaded.at(piece);
  wait_until(lock, [&] { return slot.has_value() || failure_ != nullptr; });
  if (!slot) std::rethrow_exception(failure_);
  Episodes episodes = std::move(*slot);
  slot.reset();
  --waiting_;
  changed_.notify_all();
  return episodes;
}

double Prefetcher::waited() {
  const std::scoped_lock lock(mutex_);
  return waited_;
}

}  // namespace kshot
