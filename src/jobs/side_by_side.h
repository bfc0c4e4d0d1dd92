#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "jobs/comparison.h"

namespace conclave {

// What the pictures of a comparison rest on, as pictures.json names it in `drawn_from`: the baseline, and each finished
// run with the time stamp of its result.json.
std::vector<std::string> picture_sources(const Comparison& comparison);

// The pictures that pictures.json in `folder` names, under a sentence on the seed of their students (`seed`) and the
// methods that have none (`left_out`). Empty where there are none, or where one of `drawn_from` is no run of this
// comparison any more. Throws Error for a damaged file.
std::string side_by_side_html(const Comparison& comparison, const std::filesystem::path& folder);

}  // namespace conclave
