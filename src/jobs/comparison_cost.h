#pragma once

#include <string>
#include <vector>

#include "jobs/comparison.h"

namespace conclave {

// What the methods cost as plain text, a row per method, the first cell of each its name; columns of which no method
// tells are left out. Without rows where nothing is known.
struct CostTable {
  std::vector<std::string> titles;
  std::vector<std::vector<std::string>> rows;
};
CostTable cost_table(const Comparison& comparison);

// How to read it.
std::string cost_note(const Comparison& comparison);

}  // namespace conclave
