#pragma once

#include <filesystem>

#include "jobs/comparison.h"

namespace conclave {

// The report of a comparison as one page that needs no other file, no network and no script. Beside the statistics it
// shows what the finished runs left in their folders (quality.json) and the pictures that lie beside the page
// (pictures.json and pictures/); what is absent is left out. Writes atomically. REQUIRES: summarise() was called.
// Throws Error for damaged files of a run, and when the page can't be written.
void write_comparison_page(const Comparison& comparison, const std::filesystem::path& html);

}  // namespace conclave
