#include "fusion/terms.h"

#include <ATen/ATen.h>

#include "core/error.h"

namespace conclave {
namespace {

constexpr double kLeastValue = 1e-6;  // of a term that is balanced

}  // namespace

void require_fit(bool ok, const std::string& what) {
  if (!ok) throw Error(what, "fusion");
}

void Terms::add(const std::string& name, Quotient quotient, const TermFactor& factor) {
  entries_.push_back({name, std::move(quotient), factor});
}

Losses Terms::take(bool balance, const JoinCounts& join) const {
  if (join) {
    std::vector<at::Tensor> counts;
    for (const Entry& entry : entries_) counts.push_back(entry.quotient.count);
    join(counts);
  }
  Losses losses;
  for (const auto& [name, quotient, factor] : entries_) {
    const at::Tensor value = quotient.value();
    const at::Tensor weighted = (value.dim() > 0 ? value.sum() : value) * (factor.weight * factor.scale);
    losses.total = losses.terms.empty() ? weighted : losses.total + weighted;
    losses.terms.push_back({name, weighted});
  }
  if (balance && !losses.terms.empty()) losses.total = balanced(losses.terms, join);
  return losses;
}

at::Tensor Terms::balanced(const std::vector<LossTerm>& terms, const JoinCounts& join) const {
  std::vector<at::Tensor> values;
  std::vector<double> wanted;
  for (const LossTerm& term : terms) values.push_back(term.value);
  for (const Entry& entry : entries_) wanted.push_back(entry.factor.weight * entry.factor.set);
  const at::Tensor own = at::stack(values);
  const at::Tensor whole = own.detach().clone();
  if (join) join({whole});
  return (own * (at::tensor(wanted, own.options().requires_grad(false)) / whole.clamp_min(kLeastValue))).sum();
}

}  // namespace conclave
