#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

namespace conclave {

// Writes files on a thread of its own, one job at a time, in the order given, so that the training goes on meanwhile.
// Used from one thread.
class WriteBehind {
 public:
  WriteBehind();
  ~WriteBehind();  // finishes the job; its error is logged
  WriteBehind(const WriteBehind&) = delete;
  WriteBehind& operator=(const WriteBehind&) = delete;

  // Starts a job. Blocks while the one before is not done: at most one set of copies waits in memory. Throws what the
  // one before threw; then this job is not started.
  void start(std::function<void()> job);

  // Throws what the last job threw, once; does not block.
  void check();
  // Blocks until nothing is left to do. Throws what the last job threw, once.
  void finish();

 private:
  void work();
  void rethrow();
  void wait_until_idle(std::unique_lock<std::mutex>& lock);

  std::mutex mutex_;  // guards all that follows
  std::condition_variable changed_;
  std::function<void()> job_;  // empty: idle
  std::exception_ptr failure_;
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace conclave
