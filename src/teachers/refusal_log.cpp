#include "teachers/refusal_log.h"

#include <cstddef>

#include "core/log.h"

namespace conclave {
namespace {

constexpr std::size_t kMaxShown = 64;
constexpr int kMaxPerAddress = 4;

}  // namespace

RefusalLog::~RefusalLog() {
  if (count_ > shown_.size()) log::warn("{}: refused {} connections in all", where_, count_);
}

void RefusalLog::add(const std::string& address, const std::string& reason) {
  std::lock_guard lock(mutex_);
  ++count_;
  if (shown_.size() >= kMaxShown) return;
  const auto known = per_address_.find(address);
  if (known != per_address_.end() && known->second >= kMaxPerAddress) return;
  if (!shown_.insert(address + ": " + reason).second) return;
  ++per_address_[address];
  log::warn("{}: refused {}: {}", where_, address, reason);
  if (shown_.size() == kMaxShown) log::warn("{}: more refusals are counted, but not shown", where_);
}

std::uint64_t RefusalLog::count() const {
  std::lock_guard lock(mutex_);
  return count_;
}

std::set<std::string> RefusalLog::entries() const {
  std::lock_guard lock(mutex_);
  return shown_;
}

}  // namespace conclave
