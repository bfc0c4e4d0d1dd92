#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "student/test_time.h"

namespace conclave {

// --tta, --scales, --merge and --merge-iou, for the commands that detect.
struct TestTimeFlags {
  std::string tta = "none";
  std::vector<double> scales = {1};
  std::string merge = "fuse";
  double merge_iou = 0.6;
};

void add_test_time_flags(CLI::App& verb, TestTimeFlags& flags);

// Throws Error (Exit::kUsage) as check_test_time does.
TestTime test_time_from(const TestTimeFlags& flags, const ViewOptions& views);

}  // namespace conclave
