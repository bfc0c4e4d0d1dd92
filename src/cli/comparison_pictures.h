#pragma once

#include <filesystem>

#include "jobs/comparison.h"

namespace conclave {

// Draws the same images as the labels, each teacher and every method's student of one seed see them: a few spread over
// the test set, and those on which another method's F1 differs most from the baseline's (means over the seeds). Writes
// <folder>/pictures.json, with the "seed" and the methods "left_out", and pictures/ for write_comparison_page. Nothing
// where no run is finished, the runs have no test set, or the pictures there are of these very runs. Throws Error for
// configurations, weights and images of finished runs that can't be read.
void draw_comparison_pictures(const Comparison& comparison, const std::filesystem::path& folder);

}  // namespace conclave
