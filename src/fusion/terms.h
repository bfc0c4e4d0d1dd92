#pragma once

#include <string>
#include <vector>

#include "fusion/fuse.h"
#include "fusion/losses.h"

namespace conclave {

// Throws Error (where = fusion) unless `ok`.
void require_fit(bool ok, const std::string& what);

// What a term is multiplied by.
struct TermFactor {
  double weight;  // as configured
  double scale;   // of its loss, so that it trains at weight 1
  double set;     // balanced: the value that it has at weight 1, whatever it was
};

// Collects the terms of a loss, in the order in which they are logged, then divides them all at once.
class Terms {
 public:
  using Places = std::vector<std::size_t>;

  // Takes a quotient; says where its values stand among those of all quotients.
  Places put(Quotient quotient);

  // term = weight * scale * the sum of the values at these places.
  void add(const std::string& name, Places values, const TermFactor& factor);

  // The sum of the terms. With `balance` each is multiplied first by
  //   alpha = weight * set / max(its value, 1e-6), the value without a graph,
  // so that only the direction of its gradient is left; a term of value 0 stays 0. With `join` the divisors and the
  // values are those of all ranks, which then share one alpha.
  Losses take(bool balance, const JoinCounts& join) const;

 private:
  struct Entry {
    std::string name;
    Places values;
    TermFactor factor;
  };
  at::Tensor weighted_terms() const;
  at::Tensor balanced(const at::Tensor& terms, const JoinCounts& join) const;

  std::vector<Quotient> quotients_;
  std::size_t places_ = 0;
  std::vector<Entry> entries_;
};

}  // namespace conclave
