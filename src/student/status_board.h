#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/clock.h"
#include "monitor/phases.h"
#include "monitor/status.h"
#include "monitor/status_server.h"
#include "student/options.h"
#include "student/step_rates.h"
#include "student/step_values.h"

namespace conclave {

// What a rank shows of itself while it trains: the status pages, where service.status says. Calls come from the
// training thread; pages are read from others.
class StatusBoard {
 public:
  // The source must outlive this. Goes on after `step` steps.
  StatusBoard(const RunOptions& options, int rank, int ranks, const TargetSource& source, std::int64_t step);
  ~StatusBoard();  // removes what publish() wrote

  std::string address() const;  // of the pages; empty: there are none
  // Rank 0: writes all ranks' addresses to `file`, where `conclave status` finds them.
  void publish(const std::filesystem::path& file, const std::vector<std::string>& addresses);

  void phase(const std::string& name);  // "training", "evaluating", "saving"
  void step(std::int64_t step, double lr, const StepValues& values, const TimeSpent& spent, const Phases& phases);

 private:
  RankStatus now() const;

  const RunOptions& options_;
  const TargetSource& source_;
  std::filesystem::path published_;
  SystemClock clock_;
  const TimePoint begin_;
  mutable std::mutex mutex_;  // guards all that follows
  RankStatus status_;
  StepMeter meter_;                       // since the rates were last taken
  std::unique_ptr<StatusServer> server_;  // last: its threads read the rest
};

}  // namespace conclave
