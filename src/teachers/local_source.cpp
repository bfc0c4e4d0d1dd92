#include "teachers/local_source.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>

#include "core/error.h"
#include "core/stop.h"
#include "fusion/sparse.h"
#include "teachers/record_writer.h"

namespace conclave {
namespace {

using Batch = std::vector<TargetRequest>;

class LocalSource final : public TargetSource {
 public:
  LocalSource(std::vector<std::unique_ptr<Engine>> engines, const ViewOptions& views, const SparseOptions& sparse,
              int batch)
      : engines_(std::move(engines)),
        views_(views),
        sparse_(sparse),
        batch_(static_cast<std::size_t>(std::max(1, batch))) {
    stats_.bytes_per_teacher.resize(engines_.size());
    stats_.workers.resize(engines_.size());
    thread_ = std::thread([this] { work(); });
  }

  ~LocalSource() override {
    {
      std::lock_guard lock(mutex_);
      closing_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  void ask(const TargetRequest& request) override {
    open_.push_back(request);
    if (open_.size() >= batch_) flush();
  }

  void flush() override {
    if (open_.empty()) return;
    {
      std::lock_guard lock(mutex_);
      unanswered_ += open_.size();
      jobs_.push_back(std::move(open_));
    }
    open_.clear();
    changed_.notify_all();
  }

  std::vector<SoftTargets> take() override {
    const auto begin = std::chrono::steady_clock::now();
    std::unique_lock lock(mutex_);
    if (answers_.empty() && unanswered_ == 0) {
      lock.unlock();
      if (open_.empty()) throw Error("nothing was asked", "local teachers");
      flush();
      lock.lock();
    }
    while (answers_.empty() && !failure_) {
      if (stop_requested()) throw Error("interrupted", "local teachers", {}, Exit::kInterrupted);
      changed_.wait_for(lock, std::chrono::milliseconds(100));
    }
    if (answers_.empty()) std::rethrow_exception(failure_);
    std::vector<SoftTargets> targets = std::move(answers_.front());
    answers_.pop_front();
    ++stats_.views;
    stats_.wait_seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return targets;
  }

  SourceStats stats() const override {
    std::lock_guard lock(mutex_);
    return stats_;
  }

 private:
  void work() {
    while (true) {
      Batch batch;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return closing_ || !jobs_.empty(); });
        if (closing_) return;
        batch = std::move(jobs_.front());
        jobs_.pop_front();
      }
      try {
        compute(batch);
      } catch (...) {
        std::lock_guard lock(mutex_);
        failure_ = std::current_exception();
      }
      changed_.notify_all();
      if (failed()) return;
    }
  }

  bool failed() const {
    std::lock_guard lock(mutex_);
    return failure_ != nullptr;
  }

  void compute(const Batch& batch) {
    std::vector<View> views;
    for (const TargetRequest& request : batch) views.push_back(draw_view(request, views_));
    std::vector<std::vector<SoftTargets>> answers(views.size());
    std::vector<std::uint64_t> bytes(engines_.size());
    for (std::size_t t = 0; t < engines_.size(); ++t) {
      const HeadOutputs heads = engines_[t]->run(views);
      for (std::size_t i = 0; i < views.size(); ++i) {
        answers[i].push_back(sparsify(heads, static_cast<int>(i), sparse_));
        bytes[t] += write_record(answers[i].back()).size();
      }
    }
    std::lock_guard lock(mutex_);
    for (auto& targets : answers) answers_.push_back(std::move(targets));
    unanswered_ -= batch.size();
    for (std::size_t t = 0; t < engines_.size(); ++t) {
      stats_.bytes_per_teacher[t] += bytes[t];
      stats_.bytes += bytes[t];
    }
  }

  const std::vector<std::unique_ptr<Engine>> engines_;  // used by thread_ alone
  const ViewOptions views_;
  const SparseOptions sparse_;
  const std::size_t batch_;
  Batch open_;  // the caller's thread alone

  mutable std::mutex mutex_;  // guards all that follows
  std::condition_variable changed_;
  std::deque<Batch> jobs_;
  std::deque<std::vector<SoftTargets>> answers_;
  std::size_t unanswered_ = 0;  // views in jobs_ or being computed
  std::exception_ptr failure_;
  bool closing_ = false;
  SourceStats stats_;
  std::thread thread_;
};

class EmptySource final : public TargetSource {
 public:
  void ask(const TargetRequest&) override {}
  void flush() override {}
  std::vector<SoftTargets> take() override {
    ++stats_.views;
    return {};
  }
  SourceStats stats() const override { return stats_; }

 private:
  SourceStats stats_;
};

}  // namespace

std::unique_ptr<TargetSource> make_local_source(std::vector<std::unique_ptr<Engine>> engines, const ViewOptions& views,
                                                const SparseOptions& sparse, int batch) {
  return std::make_unique<LocalSource>(std::move(engines), views, sparse, batch);
}

std::unique_ptr<TargetSource> make_empty_source() {
  return std::make_unique<EmptySource>();
}

}  // namespace conclave
