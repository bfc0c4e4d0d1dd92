#pragma once

#include <string>
#include <vector>

#include "monitor/status.h"

namespace conclave {

// How many workers a teacher has and how many would keep the students from waiting for it. Teachers that share a worker
// share its time: they are sized together.
struct Sizing {
  std::vector<std::string> teachers;
  int workers = 0;  // connected
  // Views per second, each answered by all of these teachers, of one worker while it is busy, for all ranks; 0: not
  // known
  double per_worker = 0;
  double wanted = 0;  // views per second that the students could take if they never waited
  int enough = 0;     // ceil(wanted / per_worker); 0: not known
};

// From all ranks' measured rates. A rank that waits the share w of its time at x images/s could do x / (1 - w). A view
// takes 1 / rate of a worker's time for each of the teachers. Workers that share cores with each other or with a
// student slow each other down: then more of them do not help.
std::vector<Sizing> size_workers(const std::vector<RankStatus>& ranks);

// One line of advice per teacher, or teachers that share workers, short of them; "nobody waits for teachers" when none
// is.
std::string advice(const std::vector<RankStatus>& ranks);

}  // namespace conclave
