#pragma once

#include <atomic>
#include <chrono>

namespace conclave {

using Seconds = std::chrono::duration<double>;
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Seconds>;

// Monotonic time behind an interface, so that deadlines can be tested without waiting.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint now() const = 0;  // thread-safe
};

class SystemClock final : public Clock {
 public:
  TimePoint now() const override { return std::chrono::steady_clock::now(); }
};

// Stands still until told to move. Thread-safe.
class ManualClock final : public Clock {
 public:
  TimePoint now() const override { return TimePoint(Seconds(seconds_.load())); }
  void advance(Seconds by) { seconds_.store(seconds_.load() + by.count()); }

 private:
  std::atomic<double> seconds_{0};
};

}  // namespace conclave
