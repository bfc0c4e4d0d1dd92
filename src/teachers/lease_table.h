#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "fusion/soft_targets.h"
#include "teachers/engine_options.h"
#include "teachers/frame.h"
#include "teachers/target_source.h"

namespace conclave {

struct LeaseOptions {
  int lease_views = 4;                      // consecutive views in one lease
  double lease_seconds = 60;                // a lease not answered by then may go to another worker
  double heartbeat_seconds = 1;             // of workers
  int missed_heartbeats = 5;                // so many: the worker is dead
  int grid_width = 128, grid_height = 128;  // of a valid record, cells
};

// Who holds which views: the whole logic of the trainer's side of the protocol, without sockets, threads or a clock of
// its own. The same calls give the same answers. Peers are named by the caller (one name per connection). Not
// thread-safe.
//
// A lease is waiting, leased or done. Every time it is given out it gets a higher fencing token. The first valid result
// under any of its tokens, from the worker that this token was given to, wins; all others are late and dropped unread.
class LeaseTable {
 public:
  LeaseTable(const LeaseOptions& options, std::vector<ExpectedTeacher> teachers);

  // --- the trainer's side: (ask | flush | answered take)*
  void ask(const TargetRequest& request);
  void flush();  // a partly filled lease goes out
  bool empty() const { return batches_.empty() && open_.empty(); }
  bool answered() const;  // has every teacher answered the oldest request? REQUIRES: not empty()
  bool oldest_is_open() const { return batches_.empty() && !open_.empty(); }  // only flush() can get it answered
  std::vector<SoftTargets> take();  // the oldest request's targets. REQUIRES: answered()

  // A teacher that has not answered the oldest request.
  struct Waiting {
    int teacher = 0;
    int workers = 0;
    double seconds = 0;  // since `since`, since its last worker left (none left) or since its last answer (some left)
  };
  std::vector<Waiting> waiting(TimePoint since, TimePoint now) const;

  // --- the workers' side
  // Takes the peer in, or says why not. A second hello of a peer or of an instance replaces the first: its leases go
  // back.
  std::optional<std::string> hello(const std::string& peer, const Hello& hello, TimePoint now);
  bool knows(const std::string& peer) const { return workers_.contains(peer); }
  void heard(const std::string& peer, TimePoint now);  // any frame counts as a heartbeat
  void credit(const std::string& peer, int leases);    // never more than the hello's capacity

  enum class Verdict {
    kTaken,    // it won
    kLate,     // the lease was answered before, taken, or never this worker's: dropped
    kInvalid,  // not a valid answer: the worker is removed, its leases go back; tell it `reason`
  };
  struct Judgement {
    Verdict verdict = Verdict::kLate;
    std::string reason;
  };
  Judgement result(const std::string& peer, const Result& result, TimePoint now);

  // True when this failure concerns a lease that is still unanswered and was this worker's; false: ignore it.
  bool failure(const std::string& peer, const Failure& failure) const;

  // The worker left (goodbye, lost connection, refused): its leases go back. Their number.
  int remove(const std::string& peer, TimePoint now);

  // Workers that have been silent for too long are removed; overdue leases go back while late answers to them still
  // count.
  struct Lost {
    std::string peer, worker;  // the connection, and the worker's own name
    int teacher = 0;
    int leases = 0;
    bool dead = false;  // else: alive, but its leases are overdue
  };
  std::vector<Lost> expire(TimePoint now);

  // Waiting leases, oldest first, to workers with credit, the least busy first. The caller must send them.
  struct Grant {
    std::string peer;
    Lease lease;
  };
  std::vector<Grant> grant(TimePoint now);

  // --- what there is
  std::vector<std::string> peers() const;
  int workers(int teacher) const;
  const std::vector<ExpectedTeacher>& teachers() const { return teachers_; }
  std::string worker_name(const std::string& peer) const;  // empty for a stranger
  int teacher_of(const std::string& peer) const;           // -1 for a stranger
  std::uint64_t reissued() const { return reissued_; }
  std::uint64_t late() const { return late_; }
  const std::vector<std::uint64_t>& bytes() const { return bytes_; }  // of records that won, per teacher

 private:
  struct Issue {
    std::uint64_t token = 0;
    std::string peer;
  };
  struct Slot {  // one teacher's lease of one batch
    enum class State { kWaiting, kLeased, kDone } state = State::kWaiting;
    std::vector<Issue> issues;  // the last one holds it while kLeased
    TimePoint deadline;
    std::vector<SoftTargets> answers;  // kDone: one per view
  };
  struct Batch {
    std::vector<TargetRequest> views;
    std::vector<Slot> slots;  // per teacher
  };
  struct Worker {
    Hello hello;
    int teacher = 0;
    std::uint64_t order = 0;  // of arrival
    int credit = 0;
    int held = 0;  // leases whose current holder it is
    TimePoint heard;
  };

  Slot* find(std::uint64_t lease, int teacher);
  const Slot* find(std::uint64_t lease, int teacher) const;
  std::optional<std::string> reject(const Hello& hello, int& teacher) const;
  std::optional<std::string> read_answers(const Batch& batch, int teacher, const Result& result,
                                          std::vector<SoftTargets>& answers) const;
  void release(Slot& slot);

  const LeaseOptions options_;
  std::vector<ExpectedTeacher> teachers_;  // an unknown hash is filled in by the first worker
  std::vector<TargetRequest> open_;
  std::deque<Batch> batches_;
  std::uint64_t first_batch_ = 0;  // number of batches_.front()
  std::size_t taken_ = 0;          // views of batches_.front() already taken
  std::map<std::string, Worker> workers_;
  std::vector<TimePoint> progress_;  // per teacher: the last answer, or the last arrival or departure of a worker
  std::uint64_t next_token_ = 1, next_order_ = 0;
  std::uint64_t reissued_ = 0, late_ = 0;
  std::vector<std::uint64_t> bytes_;
};

}  // namespace conclave
