#pragma once

#include "jobs/comparison.h"

namespace conclave {

// Fills `summaries` from the finished runs (RunState::kDone), then `verdicts` and each summary's verdict
// (comparison_verdict.h). Everything else must be there: `runs` in its full size and order.
//
// Differences are paired by seed: the runs of one seed share their data split, their teachers and the order of their
// images, so that what a seed does to both methods cancels.
void summarise(Comparison& comparison);

}  // namespace conclave
