#include "fusion/terms.h"

#include <ATen/ATen.h>

#include <numeric>
#include <utility>

#include "core/error.h"
#include "fusion/constant.h"

namespace conclave {
namespace {

constexpr double kLeastValue = 1e-6;  // of a term that is balanced

}  // namespace

void require_fit(bool ok, const std::string& what) {
  if (!ok) throw Error(what, "fusion");
}

Terms::Places Terms::put(Quotient quotient) {
  Places places(static_cast<std::size_t>(quotient.sum.numel()));
  std::iota(places.begin(), places.end(), places_);
  places_ += places.size();
  quotients_.push_back(std::move(quotient));
  return places;
}

void Terms::add(const std::string& name, Places values, const TermFactor& factor) {
  entries_.push_back({name, std::move(values), factor});
}

// (E,): all divisions at once, then all sums at once.
at::Tensor Terms::weighted_terms() const {
  std::vector<at::Tensor> sums, divisors;
  for (const Quotient& quotient : quotients_) {
    sums.push_back(quotient.sum.reshape({-1}));
    divisors.push_back(quotient.divided_by().reshape({-1}));
  }
  const at::Tensor values = at::cat(sums) / at::cat(divisors);
  std::vector<std::int64_t> places, entry;
  std::vector<double> factors;
  for (std::size_t e = 0; e < entries_.size(); ++e) {
    for (const std::size_t place : entries_[e].values) {
      places.push_back(static_cast<std::int64_t>(place));
      entry.push_back(static_cast<std::int64_t>(e));
      factors.push_back(entries_[e].factor.weight * entries_[e].factor.scale);
    }
  }
  const auto whole = values.options().dtype(at::kLong);
  const at::Tensor weighted = values.index_select(0, constant(places, whole)) * constant(factors, values.options());
  return sum_per_group(weighted, constant(entry, whole), std::ssize(entries_));
}

Losses Terms::take(bool balance, const JoinCounts& join) const {
  Losses losses;
  if (entries_.empty()) return losses;
  if (join) {
    std::vector<at::Tensor> counts;
    for (const Quotient& quotient : quotients_) {
      for (const at::Tensor& count : quotient.counts()) counts.push_back(count);
    }
    join(counts);
  }
  const at::Tensor terms = weighted_terms();
  const std::vector<at::Tensor> values = terms.unbind(0);
  for (std::size_t e = 0; e < entries_.size(); ++e) losses.terms.push_back({entries_[e].name, values[e]});
  losses.total = balance ? balanced(terms, join) : terms.sum();
  return losses;
}

at::Tensor Terms::balanced(const at::Tensor& terms, const JoinCounts& join) const {
  std::vector<double> wanted;
  for (const Entry& entry : entries_) wanted.push_back(entry.factor.weight * entry.factor.set);
  const at::Tensor whole = terms.detach().clone();
  if (join) join({whole});
  return (terms * (constant(wanted, terms.options()) / whole.clamp_min(kLeastValue))).sum();
}

}  // namespace conclave
