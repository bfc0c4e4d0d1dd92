#include "teachers/lease_table.h"

#include <algorithm>
#include <set>
#include <utility>

#include "teachers/admission.h"
#include "teachers/record_reader.h"

namespace conclave {

bool LeaseTable::Worker::serves(int teacher) const {
  return std::find(teachers.begin(), teachers.end(), teacher) != teachers.end();
}

LeaseTable::LeaseTable(const LeaseOptions& options, std::vector<ExpectedTeacher> teachers)
    : options_(options), teachers_(std::move(teachers)), answered_(teachers_.size()), bytes_(teachers_.size()) {}

bool LeaseTable::ask(const TargetRequest& request) {
  open_.push_back(request);
  if (open_.size() < static_cast<std::size_t>(options_.lease_views)) return false;
  flush();
  return true;
}

void LeaseTable::flush() {
  if (open_.empty()) return;
  Batch& batch = batches_.emplace_back();
  batch.views.swap(open_);
  batch.slots.resize(teachers_.size());
  batch.bytes = lease_bytes(batch.views);
  if (options_.inline_images) batch.images = Batch::Images::kUnread;
}

bool LeaseTable::answered() const {
  if (batches_.empty()) return false;
  const std::vector<Slot>& slots = batches_.front().slots;
  return std::all_of(slots.begin(), slots.end(), [](const Slot& slot) { return slot.state == Slot::State::kDone; });
}

std::vector<SoftTargets> LeaseTable::take() {
  Batch& batch = batches_.front();
  std::vector<SoftTargets> targets;
  targets.reserve(batch.slots.size());
  for (Slot& slot : batch.slots) targets.push_back(std::move(slot.answers[taken_]));
  if (++taken_ == batch.views.size()) {
    batches_.pop_front();
    ++first_batch_;
    taken_ = 0;
  }
  return targets;
}

std::string LeaseTable::describe(const Slot& slot) const {
  std::string text;
  for (const FailedBy& failed : slot.failures) {
    if (!text.empty()) text += '\n';
    text.append("worker ").append(failed.worker).append(" on image ").append(failed.path).append(": ");
    text += failed.reason;
  }
  return text;
}

std::vector<LeaseTable::Waiting> LeaseTable::waiting(TimePoint since, TimePoint now) const {
  std::vector<Waiting> found;
  for (std::size_t t = 0; t < teachers_.size() && !empty(); ++t) {
    Waiting waiting{
        static_cast<int>(t), workers(static_cast<int>(t)), (now - std::max(since, answered_[t])).count(), {}};
    if (!batches_.empty()) {
      const Slot& slot = batches_.front().slots[t];
      if (slot.state == Slot::State::kDone) continue;
      waiting.failure = describe(slot);
    }
    found.push_back(std::move(waiting));
  }
  return found;
}

std::optional<LeaseTable::Unread> LeaseTable::unread() {
  for (std::size_t b = 0; b < batches_.size(); ++b) {
    Batch& batch = batches_[b];
    if (batch.images != Batch::Images::kUnread) continue;
    batch.images = Batch::Images::kReading;
    Unread unread{first_batch_ + b, {}};
    for (const TargetRequest& view : batch.views) {
      for (const ImageFile& file : images_of(view)) unread.paths.push_back(file.path);
    }
    return unread;
  }
  return std::nullopt;
}

void LeaseTable::images(std::uint64_t number, const std::vector<std::shared_ptr<const std::string>>& files) {
  Batch& batch = batches_[number - first_batch_];  // it can't have been taken: nobody could answer it
  auto next = files.begin();
  ImageFile largest;
  const auto take = [&](const std::string& path, std::shared_ptr<const std::string>& image) {
    image = *next++;
    if (!largest.image || image->size() > largest.image->size()) largest = {path, 0, 0, image};
  };
  for (TargetRequest& view : batch.views) {
    take(view.path, view.image);
    for (ImageFile& file : view.further) take(file.path, file.image);
  }
  batch.bytes = lease_bytes(batch.views);
  if (batch.bytes > options_.max_lease) {
    throw Error("a lease of " + std::to_string(files.size()) + " images takes " + std::to_string(batch.bytes) +
                    " bytes, more than the " + std::to_string(options_.max_lease) + " allowed; this file alone has " +
                    std::to_string(largest.image->size()),
                largest.path, "lower service.lease_views, raise service.lease_mb, or make the images smaller");
  }
  batch.images = Batch::Images::kReady;
}

std::optional<std::string> LeaseTable::hello(const std::string& peer, const Hello& hello, std::uint64_t session,
                                             TimePoint now) {
  std::vector<int> teachers;
  if (std::optional<std::string> reason = refuse(hello, teachers_, teachers)) return reason;
  std::vector<std::string> replaced;
  for (const auto& [other, worker] : workers_) {
    if (other == peer || worker.hello.instance == hello.instance) replaced.push_back(other);
  }
  for (const std::string& other : replaced) remove(other);
  if (workers_.size() >= static_cast<std::size_t>(options_.max_workers)) {
    return "there are " + std::to_string(workers_.size()) + " workers already (service.max_workers)";
  }
  for (std::size_t i = 0; i < teachers.size(); ++i) {
    ExpectedTeacher& expected = teachers_[static_cast<std::size_t>(teachers[i])];
    if (expected.hash.empty()) expected.hash = hello.teachers[i].hash;
    if (expected.classes.empty()) expected.classes = hello.teachers[i].classes;
  }
  Worker& worker = workers_[peer];
  worker.hello = hello;
  worker.teachers = std::move(teachers);
  worker.session = session;
  worker.order = next_order_++;
  worker.heard = now;
  return std::nullopt;
}

std::uint64_t LeaseTable::session_of(const std::string& peer) const {
  return workers_.at(peer).session;
}

std::uint64_t LeaseTable::leases_sent(const std::string& peer) const {
  return workers_.at(peer).sent_leases;
}

std::string LeaseTable::worker_name(const std::string& peer) const {
  const auto found = workers_.find(peer);
  return found == workers_.end() ? std::string() : found->second.hello.worker;
}

void LeaseTable::heard(const std::string& peer, TimePoint now) {
  if (const auto found = workers_.find(peer); found != workers_.end()) found->second.heard = now;
}

void LeaseTable::credit(const std::string& peer, const Credit& granted) {
  const auto found = workers_.find(peer);
  if (found == workers_.end()) return;
  Worker& worker = found->second;
  worker.granted_leases = std::max(worker.granted_leases, granted.leases);
  worker.granted_bytes = std::max(worker.granted_bytes, granted.bytes);
}

// A lease's number is batch * teachers + teacher.
LeaseTable::Batch* LeaseTable::batch_of(std::uint64_t lease) {
  const std::uint64_t batch = lease / teachers_.size();
  return batch >= first_batch_ && batch - first_batch_ < batches_.size() ? &batches_[batch - first_batch_] : nullptr;
}

LeaseTable::Slot* LeaseTable::find(std::uint64_t lease, const Worker& worker) {
  const std::uint64_t teacher = lease % teachers_.size();
  Batch* batch = batch_of(lease);
  return batch && worker.serves(static_cast<int>(teacher)) ? &batch->slots[teacher] : nullptr;
}

void LeaseTable::release(Slot& slot) {
  if (slot.state != Slot::State::kLeased) return;
  if (const auto holder = workers_.find(slot.issues.back().peer); holder != workers_.end()) --holder->second.held;
  slot.state = Slot::State::kWaiting;
}

std::optional<std::string> LeaseTable::read_answers(const Batch& batch, int teacher, const Result& result,
                                                    std::vector<SoftTargets>& answers) const {
  if (result.records.size() != batch.views.size()) {
    return "a result of " + std::to_string(result.records.size()) + " records for a lease of " +
           std::to_string(batch.views.size()) + " views";
  }
  const std::size_t channels = teachers_[static_cast<std::size_t>(teacher)].classes.size();
  for (const std::string& record : result.records) {
    SoftTargets targets;
    try {
      targets = read_record(record);
    } catch (const Error& error) {
      return std::string("a result that can't be read: ") + error.what();
    }
    if (targets.width != options_.grid_width || targets.height != options_.grid_height) {
      return "a record of " + std::to_string(targets.width) + "x" + std::to_string(targets.height) +
             " cells instead of " + std::to_string(options_.grid_width) + "x" + std::to_string(options_.grid_height);
    }
    if (targets.channels.size() != channels) {
      return "a record of " + std::to_string(targets.channels.size()) + " channels instead of " +
             std::to_string(channels);
    }
    answers.push_back(std::move(targets));
  }
  return std::nullopt;
}

LeaseTable::Judgement LeaseTable::result(const std::string& peer, const Result& result, TimePoint now) {
  const auto found = workers_.find(peer);
  if (found == workers_.end()) return {};
  Slot* slot = find(result.lease, found->second);
  const auto issued = [&](const Issue& issue) { return issue.token == result.token && issue.peer == peer; };
  if (!slot || slot->state == Slot::State::kDone || std::none_of(slot->issues.begin(), slot->issues.end(), issued)) {
    ++late_;
    return {};
  }
  std::vector<SoftTargets> answers;
  const std::size_t t = result.lease % teachers_.size();
  Batch& batch = *batch_of(result.lease);
  if (std::optional<std::string> reason = read_answers(batch, static_cast<int>(t), result, answers)) {
    remove(peer);
    return {Verdict::kInvalid, std::move(*reason)};
  }
  Worker& worker = found->second;
  WorkerStats& work = worker.work[static_cast<int>(t)];
  const TimePoint sent = slot->deadline - Seconds(options_.lease_seconds);
  work.views += answers.size();
  work.busy_seconds += std::max(0.0, (now - std::max(worker.answered, sent)).count());
  worker.answered = now;
  release(*slot);
  slot->state = Slot::State::kDone;
  slot->answers = std::move(answers);
  slot->issues.clear();
  slot->failures.clear();
  for (const std::string& record : result.records) bytes_[t] += record.size();
  answered_[t] = now;
  const auto done = [](const Slot& other) { return other.state == Slot::State::kDone; };
  if (std::all_of(batch.slots.begin(), batch.slots.end(), done)) {
    for (TargetRequest& view : batch.views) {
      view.image.reset();
      for (ImageFile& file : view.further) file.image.reset();
    }
  }
  return {Verdict::kTaken, {}};
}

LeaseTable::Setback LeaseTable::failure(const std::string& peer, const Failure& failure) {
  const auto found = workers_.find(peer);
  if (found == workers_.end()) return {};
  const Worker& worker = found->second;
  Slot* slot = find(failure.lease, worker);
  if (!slot || slot->state == Slot::State::kDone) return {};
  const auto issued = [&](const Issue& issue) { return issue.token == failure.token && issue.peer == peer; };
  if (std::none_of(slot->issues.begin(), slot->issues.end(), issued)) return {};
  if (slot->state == Slot::State::kLeased && slot->issues.back().peer == peer) {
    release(*slot);
    ++reissued_;
  }
  std::erase_if(slot->issues, [&](const Issue& issue) { return issue.peer == peer; });
  const std::vector<TargetRequest>& views = batch_of(failure.lease)->views;
  const auto view = static_cast<std::size_t>(failure.view);
  const std::string path =
      view < views.size() ? views[view].path
                          : views.front().path + " or one of the " + std::to_string(views.size() - 1) + " after it";
  slot->failures.push_back({worker.hello.instance, worker.hello.worker, path, failure.reason});

  Setback setback{true, std::nullopt};
  const int teacher = static_cast<int>(failure.lease % teachers_.size());
  const bool others = std::any_of(workers_.begin(), workers_.end(), [&](const Entry& entry) {
    return entry.second.serves(teacher) && entry.second.hello.instance != worker.hello.instance;
  });
  if (slot->failures.size() > 1 || !others) {
    setback.end.emplace(
        "can't answer for image " + path + ":\n" + describe(*slot),
        "teacher '" + teachers_[static_cast<std::size_t>(teacher)].name + "'",
        std::string(others ? "" : "no other worker is there to try; ") +
            "repair or remove the image; where only workers don't see it, start them with --root, or set "
            "service.images: inline");
  }
  return setback;
}

int LeaseTable::remove(const std::string& peer) {
  const auto found = workers_.find(peer);
  if (found == workers_.end()) return 0;
  int returned = 0;
  for (Batch& batch : batches_) {
    for (Slot& slot : batch.slots) {
      if (slot.state == Slot::State::kLeased && slot.issues.back().peer == peer) {
        release(slot);
        ++returned;
      }
      // Whoever comes back under this name is another worker.
      std::erase_if(slot.issues, [&](const Issue& issue) { return issue.peer == peer; });
    }
  }
  workers_.erase(found);
  reissued_ += static_cast<std::uint64_t>(returned);
  return returned;
}

std::vector<LeaseTable::Lost> LeaseTable::expire(TimePoint now) {
  std::vector<Lost> lost;
  const Seconds silence(options_.heartbeat_seconds * options_.missed_heartbeats);
  for (const auto& [peer, worker] : workers_) {
    if (now - worker.heard > silence) lost.push_back({peer, worker.hello.worker, 0, true});
  }
  for (Lost& dead : lost) dead.leases = remove(dead.peer);

  std::map<std::string, int> overdue;
  for (Batch& batch : batches_) {
    for (Slot& slot : batch.slots) {
      if (slot.state != Slot::State::kLeased || now <= slot.deadline) continue;
      ++overdue[slot.issues.back().peer];
      ++reissued_;
      release(slot);
    }
  }
  for (const auto& [peer, leases] : overdue) lost.push_back({peer, workers_.at(peer).hello.worker, leases, false});
  return lost;
}

// The least busy; among equals one that can do less else, then the first to come.
bool LeaseTable::prefers(const Worker& a, const Worker& b) {
  if (a.held != b.held) return a.held < b.held;
  if (a.teachers.size() != b.teachers.size()) return a.teachers.size() < b.teachers.size();
  return a.order < b.order;
}

std::vector<LeaseTable::Grant> LeaseTable::grant(TimePoint now) {
  std::vector<Grant> grants;
  std::vector<Entry*> ready;  // still with credit for a lease
  for (Entry& entry : workers_) {
    if (entry.second.granted_leases > entry.second.sent_leases && entry.second.held < frame_limits::kCapacity)
      ready.push_back(&entry);
  }
  for (std::size_t b = 0; b < batches_.size() && !ready.empty(); ++b) {
    Batch& batch = batches_[b];
    for (std::size_t t = 0; t < teachers_.size() && batch.images == Batch::Images::kReady; ++t) {
      Slot& slot = batch.slots[t];
      if (slot.state != Slot::State::kWaiting) continue;
      Entry* best = nullptr;
      std::set<Entry*> full;  // they wait for the bytes of this lease: nothing newer goes before it
      for (Entry* entry : ready) {
        const Worker& worker = entry->second;
        const auto failed = [&](const FailedBy& by) { return by.instance == worker.hello.instance; };
        if (!worker.serves(static_cast<int>(t))) continue;
        if (std::any_of(slot.failures.begin(), slot.failures.end(), failed)) continue;
        if (worker.granted_bytes < worker.sent_bytes + batch.bytes) {
          full.insert(entry);
        } else if (!best || prefers(worker, best->second)) {
          best = entry;
        }
      }
      if (!best) {
        std::erase_if(ready, [&](Entry* entry) { return full.contains(entry); });
        continue;
      }
      Worker& worker = best->second;
      ++worker.held;
      ++worker.sent_leases;
      worker.sent_bytes += batch.bytes;
      slot.state = Slot::State::kLeased;
      slot.deadline = now + Seconds(options_.lease_seconds);
      slot.issues.push_back({next_token_, best->first});
      const auto place = std::find(worker.teachers.begin(), worker.teachers.end(), static_cast<int>(t));
      grants.push_back(
          {best->first, Lease{worker.session, worker.sent_leases, (first_batch_ + b) * teachers_.size() + t,
                              next_token_, static_cast<int>(place - worker.teachers.begin()), batch.views}});
      ++next_token_;
      if (worker.granted_leases <= worker.sent_leases || worker.held >= frame_limits::kCapacity)
        std::erase(ready, best);
    }
  }
  return grants;
}

std::vector<std::string> LeaseTable::peers() const {
  std::vector<std::string> names;
  for (const auto& [peer, worker] : workers_) names.push_back(peer);
  return names;
}

int LeaseTable::waiting_leases(int teacher) const {
  return static_cast<int>(std::count_if(batches_.begin(), batches_.end(), [&](const Batch& batch) {
    return batch.slots[static_cast<std::size_t>(teacher)].state == Slot::State::kWaiting;
  }));
}

std::vector<WorkerStats> LeaseTable::serving(TimePoint now) const {
  std::vector<WorkerStats> all;
  for (const auto& [peer, worker] : workers_) {
    for (const int teacher : worker.teachers) {
      const auto found = worker.work.find(teacher);
      WorkerStats& stats = all.emplace_back(found == worker.work.end() ? WorkerStats{} : found->second);
      stats.worker = worker.hello.worker;
      stats.teacher = teacher;
      stats.held = worker.held;
      stats.silent_seconds = (now - worker.heard).count();
    }
  }
  return all;
}

int LeaseTable::workers(int teacher) const {
  return static_cast<int>(std::count_if(workers_.begin(), workers_.end(),
                                        [&](const Entry& entry) { return entry.second.serves(teacher); }));
}

}  // namespace conclave
