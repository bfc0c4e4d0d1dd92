#pragma once

#include <string>
#include <vector>

#include "monitor/status.h"

namespace conclave {

// How many workers a teacher has and how many would keep the students from waiting for it.
struct Sizing {
  std::string teacher;
  int workers = 0;        // connected
  double per_worker = 0;  // views per second of one worker while it is busy, for all ranks; 0: not known
  double wanted = 0;      // views per second that the students could take if they never waited
  int enough = 0;         // ceil(wanted / per_worker); 0: not known
};

// From all ranks' measured rates. A rank that waits the share w of its time at x images/s could do x / (1 - w). Workers
// that share cores with each other or with a student slow each other down: then more of them do not help.
std::vector<Sizing> size_workers(const std::vector<RankStatus>& ranks);

// One line of advice per teacher that is short of workers; "nobody waits for teachers" when none is.
std::string advice(const std::vector<RankStatus>& ranks);

}  // namespace conclave
