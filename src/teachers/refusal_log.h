#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>

namespace conclave {

// Says who was turned away and why: each address and reason once, at most four reasons per address and 64 in all; the
// rest is counted. A hostile peer can't fill a disk with it, nor one host the log for the others. Thread-safe.
class RefusalLog {
 public:
  explicit RefusalLog(std::string where) : where_(std::move(where)) {}
  ~RefusalLog();  // says how many there were, when not all were shown

  void add(const std::string& address, const std::string& reason);

  std::uint64_t count() const;            // all
  std::set<std::string> entries() const;  // those shown, "address: reason"

 private:
  const std::string where_;
  mutable std::mutex mutex_;  // guards all that follows
  std::set<std::string> shown_;
  std::map<std::string, int> per_address_;
  std::uint64_t count_ = 0;
};

}  // namespace conclave
