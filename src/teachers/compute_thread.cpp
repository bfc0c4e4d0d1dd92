#include "teachers/compute_thread.h"

#include <exception>
#include <optional>
#include <utility>

#include "core/log.h"
#include "fusion/sparse.h"
#include "teachers/record_writer.h"

namespace conclave {
namespace {

constexpr std::size_t kKeptBytes = 64u << 20;  // of drawn views, for a worker of several teachers

}  // namespace

ComputeThread::ComputeThread(std::vector<std::unique_ptr<Engine>> engines, std::unique_ptr<TargetCache> cache,
                             const std::string& root, Waker& waker)
    : engines_(std::move(engines)),
      cache_(std::move(cache)),
      views_(root, engines_.size() > 1 ? kKeptBytes : 0),
      waker_(waker) {
  thread_ = std::thread([this] { work(); });
}

ComputeThread::~ComputeThread() {
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void ComputeThread::add(std::vector<TakenLease> call) {
  {
    std::lock_guard lock(mutex_);
    waiting_ = std::move(call);
  }
  changed_.notify_all();
}

bool ComputeThread::room() const {
  std::lock_guard lock(mutex_);
  return waiting_.empty();
}

std::size_t ComputeThread::drop_waiting() {
  std::lock_guard lock(mutex_);
  return std::exchange(waiting_, {}).size();
}

std::deque<LeaseAnswer> ComputeThread::collect() {
  std::lock_guard lock(mutex_);
  return std::exchange(answers_, {});
}

void ComputeThread::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return closing_ || !waiting_.empty(); });
    if (closing_) return;
    const std::vector<TakenLease> call = std::exchange(waiting_, {});
    lock.unlock();
    waker_.wake();  // there is room again
    std::vector<LeaseAnswer> answers = answer(call);
    lock.lock();
    for (LeaseAnswer& one : answers) answers_.push_back(std::move(one));
    waker_.wake();
  }
}

std::vector<LeaseAnswer> ComputeThread::answer(std::span<const TakenLease> call) {
  std::vector<LeaseAnswer> answers;
  try {
    std::vector<std::string> records = records_of(call);
    auto record = records.begin();
    for (const TakenLease& taken : call) {
      LeaseAnswer& out = answers.emplace_back();
      Result result{taken.welcome->session, taken.lease.id, taken.lease.token, {}};
      for (std::size_t i = 0; i < taken.lease.views.size(); ++i) {
        out.bytes += record->size();
        result.records.push_back(std::move(*record++));
      }
      out.rank = taken.rank;
      out.session = taken.welcome->session;
      out.frame = encode(result);
      out.lease_bytes = lease_bytes(taken.lease.views);
      out.views = taken.lease.views.size();
    }
    return answers;
  } catch (const std::exception& error) {
    if (call.size() == 1) return {fail(call.front(), error.what())};
  }
  answers.clear();
  for (std::size_t i = 0; i < call.size(); ++i) answers.push_back(std::move(answer(call.subspan(i, 1)).front()));
  return answers;
}

std::vector<std::string> ComputeThread::records_of(std::span<const TakenLease> call) {
  struct Missing {
    const TakenLease& taken;
    const TargetRequest& request;
    std::size_t record;
  };
  const auto teacher = static_cast<std::size_t>(call.front().lease.teacher);
  std::vector<std::string> records;
  std::vector<Missing> missing;
  std::vector<View> views;
  for (const TakenLease& taken : call) {
    for (std::size_t i = 0; i < taken.lease.views.size(); ++i) {
      const TargetRequest& request = taken.lease.views[i];
      std::optional<std::string> found;
      if (cache_) found = cache_->find(teacher, request, *taken.welcome);
      if (found) {
        ++found_;
      } else {
        missing.push_back({taken, request, records.size()});
        views.push_back(views_.draw(taken, i));
      }
      records.push_back(std::move(found).value_or(std::string()));
    }
  }
  if (views.empty()) return records;
  const HeadOutputs heads = engines_[teacher]->run(views);
  for (std::size_t row = 0; row < missing.size(); ++row) {
    const auto& [taken, request, record] = missing[row];
    records[record] = write_record(sparsify(heads, static_cast<int>(row), taken.welcome->sparse));
    if (cache_) cache_->keep(teacher, request, *taken.welcome, records[record]);
  }
  return records;
}

// Names the view that fails by itself, if there is one.
LeaseAnswer ComputeThread::fail(const TakenLease& taken, const std::string& reason) {
  Failure failure{taken.welcome->session, taken.lease.id, taken.lease.token, Failure::kNoView, reason};
  for (std::size_t i = 0; i < taken.lease.views.size() && failure.view == Failure::kNoView; ++i) {
    try {
      engines_[static_cast<std::size_t>(taken.lease.teacher)]->run({views_.draw(taken, i)});
    } catch (const std::exception& error) {
      failure.view = static_cast<int>(i);
      failure.reason = error.what();
    }
  }
  log::error("lease {}: {}", taken.lease.id, failure.reason);
  LeaseAnswer out;
  out.rank = taken.rank;
  out.session = failure.session;
  out.frame = encode(failure);
  out.lease_bytes = lease_bytes(taken.lease.views);
  return out;
}

}  // namespace conclave
