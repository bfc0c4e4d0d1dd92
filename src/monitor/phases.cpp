#include "monitor/phases.h"

#include <algorithm>

namespace conclave {

void Phases::enter(const char* name) {
  leave();
  name_ = name;
  begin_step_ = step_;
  begin_ = clock_.now();
}

void Phases::leave() {
  if (name_ == nullptr) return;
  const TimePoint end = clock_.now();
  const auto found =
      std::find_if(spent_.begin(), spent_.end(), [&](const auto& entry) { return entry.first == name_; });
  const double seconds = (end - begin_).count();
  if (found == spent_.end()) {
    spent_.emplace_back(name_, seconds);
  } else {
    found->second += seconds;
  }
  if (file_ != nullptr && begin_step_ <= last_step_) {
    file_->span(name_, begin_.time_since_epoch().count(), end.time_since_epoch().count(), begin_step_);
  }
  name_ = nullptr;
}

void Phases::record(TraceFile& file, std::int64_t last_step) {
  file_ = &file;
  last_step_ = last_step;
}

double Phases::seconds(const std::string& name) const {
  for (const auto& [phase, seconds] : spent_) {
    if (phase == name) return seconds;
  }
  return 0;
}

}  // namespace conclave
