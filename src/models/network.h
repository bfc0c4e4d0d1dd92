#pragma once

#include "models/detector.h"

namespace conclave {

// The modules of a spec with values that nobody should rely on: for loading weights into, or counting.
std::shared_ptr<Detector> make_network(const ModelSpec& spec);

}  // namespace conclave
