#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "fusion/fuse.h"

namespace conclave {

inline std::vector<std::string> names_of(const Losses& losses) {
  std::vector<std::string> names;
  for (const auto& term : losses.terms) names.push_back(term.name);
  return names;
}

// The weighted value of a term; a failure where there is none of that name.
inline double value_of(const Losses& losses, const std::string& name) {
  for (const auto& term : losses.terms) {
    if (term.name == name) return term.value.item<double>();
  }
  ADD_FAILURE() << "no term " << name;
  return 0;
}

}  // namespace conclave
