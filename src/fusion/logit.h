#pragma once

#include <cmath>

namespace conclave {

// ln(p / (1 - p)) of a probability in [0,1): -inf at 0, exactly 0 at 0.5.
inline double logit(double p) {
  return std::log(p) - std::log1p(-p);
}

}  // namespace conclave
