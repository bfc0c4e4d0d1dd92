#include "student/write_behind.h"

#include <utility>

#include "core/log.h"

namespace conclave {

WriteBehind::WriteBehind() : thread_([this] { work(); }) {}

WriteBehind::~WriteBehind() {
  try {
    finish();
  } catch (const std::exception& error) {
    log::error("{}", error.what());
  }
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void WriteBehind::start(std::function<void()> job) {
  {
    std::unique_lock lock(mutex_);
    wait_until_idle(lock);
    job_ = std::move(job);
  }
  changed_.notify_all();
}

void WriteBehind::finish() {
  std::unique_lock lock(mutex_);
  wait_until_idle(lock);
}

void WriteBehind::wait_until_idle(std::unique_lock<std::mutex>& lock) {
  changed_.wait(lock, [this] { return !job_; });
  rethrow();
}

void WriteBehind::check() {
  std::lock_guard lock(mutex_);
  rethrow();
}

void WriteBehind::rethrow() {
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

void WriteBehind::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return closing_ || job_; });
    if (!job_) return;
    lock.unlock();
    std::exception_ptr failure;
    try {
      job_();  // only start() sets it, and not before it is empty again
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    job_ = nullptr;
    failure_ = failure;
    changed_.notify_all();
  }
}

}  // namespace conclave
