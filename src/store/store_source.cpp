#include "store/store_source.h"

#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_set>

#include "core/error.h"
#include "models/spec.h"
#include "store/store_lookup.h"
#include "store/target_key.h"
#include "teachers/record_reader.h"
#include "teachers/record_writer.h"

namespace conclave {
namespace {

// A view to be asked waits in a partly filled lease for others. When so many that are stored have come after it, they
// may be few: the lease goes out, so that its answer is there when the trainer gets to it.
constexpr int kStoredBehind = 8;

class StoreSource final : public TargetSource {
 public:
  StoreSource(std::unique_ptr<TargetStore> store, StoreMode mode, std::vector<ExpectedTeacher> teachers,
              const ViewOptions& views, const SparseOptions& sparse, OpenTeachers open)
      : lookup_(std::move(store)), mode_(mode), teachers_(std::move(teachers)), views_(views), open_(std::move(open)) {
    for (const ExpectedTeacher& teacher : teachers_) {
      if (teacher.hash.empty()) throw Error("a store needs the hash of its weights", "teacher " + teacher.name);
      teacher_keys_.emplace_back(teacher, sparse);
      descriptions_.push_back(describe(teacher, views, sparse));
    }
  }

  void ask(const TargetRequest& request) override {
    Pending pending;
    pending.image = request.path;
    const std::vector<ImageContent> contents = lookup_.contents_of(request);
    for (const TeacherKey& teacher : teacher_keys_) {
      pending.keys.push_back(target_key(teacher, contents, request, views_));
    }
    if (mode_ != StoreMode::kRecord) look_up(pending);
    if (mode_ != StoreMode::kReplay && !pending.complete() && !pending.known_soon(asked_)) {
      pending.asked = true;
      if (!pending.keys.empty()) asked_.insert(pending.keys.front());
      teachers().ask(request);
      lease_open_ = true;
    } else if (lease_open_ && ++stored_behind_ == kStoredBehind) {
      flush();
    }
    pending_.push_back(std::move(pending));
  }

  void flush() override {
    if (inner_) inner_->flush();
    lease_open_ = false;
    stored_behind_ = 0;
  }

  std::vector<SoftTargets> take() override {
    if (pending_.empty()) throw Error("nothing was asked", "target store");
    Pending& pending = pending_.front();
    const bool stored = !pending.asked;
    if (stored && !pending.complete()) look_up(pending);  // asked before, and taken by now
    if (stored && !pending.complete()) throw missing(pending);
    if (pending.asked) keep(pending, inner_->take());
    std::vector<SoftTargets> targets;
    for (std::optional<SoftTargets>& found : pending.found) targets.push_back(std::move(*found));
    pending_.pop_front();
    std::lock_guard lock(mutex_);
    ++views_taken_;
    stored_views_ += stored;
    return targets;
  }

  void keep_workers() override {
    if (inner_) inner_->keep_workers();
  }

  SourceStats stats() const override {
    std::lock_guard lock(mutex_);
    SourceStats stats;
    if (inner_) stats = inner_->stats();
    stats.bytes_per_teacher.resize(teachers_.size());
    stats.workers.resize(teachers_.size());
    stats.views = views_taken_;
    stats.stored_views = stored_views_;
    stats.stored_bytes = stored_bytes_;
    return stats;
  }

 private:
  // A view that was asked and not yet taken.
  struct Pending {
    std::string image;
    std::vector<TargetKey> keys;                    // per teacher
    std::vector<std::optional<SoftTargets>> found;  // per teacher: what the store has
    bool asked = false;                             // of the teachers

    bool complete() const {
      for (const auto& targets : found) {
        if (!targets) return false;
      }
      return found.size() == keys.size();
    }
    bool known_soon(const std::unordered_multiset<TargetKey, TargetKeyHash>& asked_now) const {
      return !keys.empty() && asked_now.contains(keys.front());
    }
  };

  TargetSource& teachers() {
    if (!inner_) {
      std::unique_ptr<TargetSource> opened = open_();
      std::lock_guard lock(mutex_);
      inner_ = std::move(opened);
    }
    return *inner_;
  }

  // Fills in what the store has and `pending` lacks.
  void look_up(Pending& pending) {
    pending.found.resize(pending.keys.size());
    for (std::size_t t = 0; t < pending.keys.size(); ++t) {
      if (!pending.found[t]) pending.found[t] = stored_targets(t, pending.keys[t]);
    }
  }

  std::optional<SoftTargets> stored_targets(std::size_t teacher, const TargetKey& key) {
    const std::optional<std::string> record = lookup_.find(key);
    if (!record) return std::nullopt;
    SoftTargets targets = read_record(*record);
    if (targets.width != views_.width / kStride || targets.height != views_.height / kStride ||
        targets.channels.size() != teachers_[teacher].classes.size()) {
      throw Error("targets of " + std::to_string(targets.channels.size()) + " channels on " +
                      std::to_string(targets.width) + "x" + std::to_string(targets.height) + " cells, not those of " +
                      teachers_[teacher].name,
                  lookup_.store().folder().string(), "the store holds what this program did not write");
    }
    std::lock_guard lock(mutex_);
    stored_bytes_ += record->size();
    return targets;
  }

  // Joins what the teachers answer with what was stored, and stores the rest.
  void keep(Pending& pending, std::vector<SoftTargets> answers) {
    if (answers.size() != pending.keys.size()) throw Error("answers of another number of teachers", "target store");
    pending.found.resize(pending.keys.size());
    for (std::size_t t = 0; t < answers.size(); ++t) {
      if (pending.found[t]) continue;
      lookup_.store().append(pending.keys[t], descriptions_[t], write_record(answers[t]));
      pending.found[t] = std::move(answers[t]);
    }
    asked_.erase(asked_.find(pending.keys.front()));
  }

  Error missing(const Pending& pending) const {
    std::size_t teacher = 0;
    while (pending.found[teacher]) ++teacher;
    const ExpectedTeacher& expected = teachers_[teacher];
    bool known = false;
    for (const std::string& text : lookup_.store().descriptions()) known = known || text == descriptions_[teacher];
    const std::string what = "no targets of teacher " + expected.name + " (weights " + expected.hash.substr(0, 12) +
                             ") are stored for a view of " + pending.image;
    if (!known) {
      return Error(what + "; the store has none of these weights with this engine, floor and size",
                   lookup_.store().folder().string(),
                   "`conclave store list` shows what it has; service.store.mode=auto asks the teachers");
    }
    return Error(what, lookup_.store().folder().string(),
                 "service.store.mode=auto asks the teachers for what is missing; views only repeat with "
                 "data.views_per_image, as many as were recorded, and the same `views`");
  }

  StoreLookup lookup_;
  const StoreMode mode_;
  const std::vector<ExpectedTeacher> teachers_;
  const ViewOptions views_;
  const OpenTeachers open_;
  std::vector<TeacherKey> teacher_keys_;
  std::vector<std::string> descriptions_;

  std::deque<Pending> pending_;
  bool lease_open_ = false;                                  // a view was asked since the last flush
  int stored_behind_ = 0;                                    // stored views since then
  std::unordered_multiset<TargetKey, TargetKeyHash> asked_;  // first keys of the views under way

  mutable std::mutex mutex_;             // guards all that follows where other threads may ask for stats()
  std::unique_ptr<TargetSource> inner_;  // once it was needed; set and used by the caller's thread
  std::uint64_t views_taken_ = 0, stored_views_ = 0, stored_bytes_ = 0;
};

}  // namespace

std::unique_ptr<TargetSource> make_store_source(std::unique_ptr<TargetStore> store, StoreMode mode,
                                                std::vector<ExpectedTeacher> teachers, const ViewOptions& views,
                                                const SparseOptions& sparse, OpenTeachers open) {
  return std::make_unique<StoreSource>(std::move(store), mode, std::move(teachers), views, sparse, std::move(open));
}

}  // namespace conclave
