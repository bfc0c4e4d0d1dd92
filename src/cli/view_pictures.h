#pragma once

#include <string>

#include "student/options.h"

namespace conclave {

// Writes the first `views` views that a training of this configuration sees, with the boxes of its sets, into a new (or
// empty) folder: 000.jpg, 001.jpg, … and all of them together as sheet.jpg. Throws Error for a folder with files in it
// and as load_dataset and draw_view do.
void write_view_pictures(const RunOptions& options, const std::string& folder, int views);

}  // namespace conclave
