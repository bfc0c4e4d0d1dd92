#pragma once

#include <memory>
#include <vector>

#include "teachers/engine.h"
#include "teachers/target_source.h"

namespace conclave {

// Teachers in this process, on one thread of their own. Gives the same bits as a worker with the same engine options.
std::unique_ptr<TargetSource> make_local_source(std::vector<std::unique_ptr<Engine>> engines, const ViewOptions& views,
                                                const SparseOptions& sparse, int batch);

// For methods without teachers: answers every request with nothing, at once.
std::unique_ptr<TargetSource> make_empty_source();

}  // namespace conclave
