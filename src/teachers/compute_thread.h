#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "teachers/drawn_views.h"
#include "teachers/engine.h"
#include "teachers/target_cache.h"
#include "teachers/transport.h"
#include "teachers/worker_session.h"

namespace conclave {

// Answers leases on a thread of its own, so that heartbeats go on while it computes.
class ComputeThread {
 public:
  // The engines in the order of the hello's teachers. Wakes `waker` when an answer is there. `cache` may be empty.
  ComputeThread(std::vector<std::unique_ptr<Engine>> engines, std::unique_ptr<TargetCache> cache,
                const std::string& root, Waker& waker);
  ~ComputeThread();  // finishes what it computes

  // Leases of one teacher, answered in one call of its engine. REQUIRES: room().
  void add(std::vector<TakenLease> call);
  bool room() const;           // one call is computed, one may wait
  std::size_t drop_waiting();  // the number of leases dropped
  std::deque<LeaseAnswer> collect();
  std::uint64_t found() const { return found_; }  // views that the cache had

 private:
  void work();
  std::vector<LeaseAnswer> answer(std::span<const TakenLease> call);
  std::vector<std::string> records_of(std::span<const TakenLease> call);  // of all its views
  LeaseAnswer fail(const TakenLease& taken, const std::string& reason);

  const std::vector<std::unique_ptr<Engine>> engines_;  // used by thread_ alone
  const std::unique_ptr<TargetCache> cache_;            // used by thread_ alone
  DrawnViews views_;                                    // used by thread_ alone
  std::atomic<std::uint64_t> found_{0};
  Waker& waker_;
  mutable std::mutex mutex_;  // guards all that follows
  std::condition_variable changed_;
  std::vector<TakenLease> waiting_;
  std::deque<LeaseAnswer> answers_;
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace conclave
