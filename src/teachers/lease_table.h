#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/error.h"
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
  bool inline_images = false;               // leases carry the images' bytes
  std::size_t max_lease = 16u << 20;        // bytes of a lease frame
  int max_workers = 256;                    // at once, of all teachers; further ones are refused
};

// Who holds which views: the trainer's bookkeeping without sockets, threads or a clock of its own. The same calls give
// the same answers. Peers are named by the caller (one name per connection). Not thread-safe.
//
// A lease is waiting, leased or done. Every time it is given out it gets a higher fencing token. The first valid result
// under any of its tokens, from the worker that this token was given to, wins; all others are late and dropped unread.
// A worker that failed on a lease does not get it again.
class LeaseTable {
 public:
  LeaseTable(const LeaseOptions& options, std::vector<ExpectedTeacher> teachers);

  // --- the trainer's side: (ask | flush | answered take)*
  bool ask(const TargetRequest& request);  // true: it made a lease full
  void flush();                            // a partly filled lease goes out
  bool empty() const { return batches_.empty() && open_.empty(); }
  bool answered() const;  // has every teacher answered the oldest request? REQUIRES: not empty()
  bool oldest_is_open() const { return batches_.empty() && !open_.empty(); }  // only flush() can get it answered
  std::vector<SoftTargets> take();  // the oldest request's targets. REQUIRES: answered()

  // A teacher that has not answered the oldest request.
  struct Waiting {
    int teacher = 0;
    int workers = 0;
    double seconds = 0;   // since `since` or its last answer, whichever is later
    std::string failure;  // what workers said who failed on the oldest lease
  };
  std::vector<Waiting> waiting(TimePoint since, TimePoint now) const;

  // --- images that travel inside leases: (unread images)*
  struct Unread {
    std::uint64_t batch = 0;
    std::vector<std::string> paths;
  };
  std::optional<Unread> unread();  // the oldest batch whose images are to be read; each is named once
  // Its images, in the order of the paths. Throws Error (where = the largest file) when they don't fit into a lease.
  void images(std::uint64_t batch, const std::vector<std::shared_ptr<const std::string>>& files);

  // --- the workers' side
  // Takes the peer in, or says why not. A second hello of a peer or of an instance replaces the first: its leases go
  // back. `session` names what follows.
  std::optional<std::string> hello(const std::string& peer, const Hello& hello, std::uint64_t session, TimePoint now);
  bool knows(const std::string& peer) const { return workers_.contains(peer); }
  std::uint64_t session_of(const std::string& peer) const;      // REQUIRES: knows(peer)
  std::uint64_t leases_sent(const std::string& peer) const;     // in its session. REQUIRES: knows(peer)
  std::string worker_name(const std::string& peer) const;       // its own name; empty for a stranger
  void heard(const std::string& peer, TimePoint now);           // any frame of its session counts as a heartbeat
  void credit(const std::string& peer, const Credit& granted);  // never lowers what was granted before

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

  struct Setback {
    bool counts = false;       // an unanswered lease of this worker; else: ignore it
    std::optional<Error> end;  // two workers have failed on it, or nobody else is there to try
  };
  Setback failure(const std::string& peer, const Failure& failure);

  // The worker left (goodbye, lost connection, refused): its leases go back. Their number.
  int remove(const std::string& peer);

  // Workers that have been silent for too long are removed; overdue leases go back while late answers to them still
  // count.
  struct Lost {
    std::string peer, worker;  // the connection, and the worker's own name
    int leases = 0;
    bool dead = false;  // else: alive, but its leases are overdue
  };
  std::vector<Lost> expire(TimePoint now);

  // Waiting leases, oldest first over all teachers, to workers with credit, the least busy first. The caller must send
  // them.
  struct Grant {
    std::string peer;
    Lease lease;
  };
  std::vector<Grant> grant(TimePoint now);

  // --- what there is
  std::vector<std::string> peers() const;
  int workers(int teacher) const;
  const std::vector<ExpectedTeacher>& teachers() const { return teachers_; }
  int waiting_leases(int teacher) const;                  // that no worker holds
  std::vector<WorkerStats> serving(TimePoint now) const;  // by worker and teacher
  std::uint64_t reissued() const { return reissued_; }
  std::uint64_t late() const { return late_; }
  const std::vector<std::uint64_t>& bytes() const { return bytes_; }  // of records that won, per teacher

 private:
  struct Issue {
    std::uint64_t token = 0;
    std::string peer;
  };
  struct FailedBy {
    std::uint64_t instance = 0;
    std::string worker, path, reason;
  };
  struct Slot {  // one teacher's lease of one batch
    enum class State { kWaiting, kLeased, kDone } state = State::kWaiting;
    std::vector<Issue> issues;  // the last one holds it while kLeased
    std::vector<FailedBy> failures;
    TimePoint deadline;
    std::vector<SoftTargets> answers;  // kDone: one per view
  };
  struct Batch {
    std::vector<TargetRequest> views;
    std::vector<Slot> slots;  // per teacher
    enum class Images { kUnread, kReading, kReady } images = Images::kReady;
    std::size_t bytes = 0;  // of a lease frame, once ready
  };
  struct Worker {
    Hello hello;
    std::vector<int> teachers;  // of the run, per teacher of the hello
    std::uint64_t session = 0;
    std::uint64_t order = 0;  // of arrival
    std::uint64_t granted_leases = 0, granted_bytes = 0;
    std::uint64_t sent_leases = 0, sent_bytes = 0;
    int held = 0;  // leases whose current holder it is
    TimePoint heard;
    TimePoint answered{};             // its last valid result
    std::map<int, WorkerStats> work;  // per teacher of the run

    bool serves(int teacher) const;
  };
  using Entry = std::map<std::string, Worker>::value_type;

  Batch* batch_of(std::uint64_t lease);
  Slot* find(std::uint64_t lease, const Worker& worker);
  std::optional<std::string> read_answers(const Batch& batch, int teacher, const Result& result,
                                          std::vector<SoftTargets>& answers) const;
  void release(Slot& slot);
  std::string describe(const Slot& slot) const;
  static bool prefers(const Worker& a, const Worker& b);

  const LeaseOptions options_;
  std::vector<ExpectedTeacher> teachers_;  // an unknown hash is filled in by the first worker
  std::vector<TargetRequest> open_;
  std::deque<Batch> batches_;
  std::uint64_t first_batch_ = 0;  // number of batches_.front()
  std::size_t taken_ = 0;          // views of batches_.front() already taken
  std::map<std::string, Worker> workers_;
  std::vector<TimePoint> answered_;  // per teacher: when its last valid answer came
  std::uint64_t next_token_ = 1, next_order_ = 0;
  std::uint64_t reissued_ = 0, late_ = 0;
  std::vector<std::uint64_t> bytes_;
};

}  // namespace conclave
