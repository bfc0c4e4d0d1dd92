#include "cli/test_time_flags.h"

namespace conclave {

void add_test_time_flags(CLI::App& verb, TestTimeFlags& flags) {
  verb.add_option("--tta", flags.tta, "flip: look at the mirror image too and average")
      ->check(CLI::IsMember({"none", "flip"}))
      ->capture_default_str();
  verb.add_option("--scales", flags.scales, "of the input size, as 0.75,1,1.25; their boxes are merged")
      ->delimiter(',')
      ->default_str("1");
  verb.add_option("--merge", flags.merge, "how the scales' boxes become one: fuse (weighted mean) or nms")
      ->check(CLI::IsMember({"fuse", "nms"}))
      ->capture_default_str();
  verb.add_option("--merge-iou", flags.merge_iou, "boxes of several scales that overlap more are one object")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
}

TestTime test_time_from(const TestTimeFlags& flags, const ViewOptions& views) {
  TestTime test_time;
  test_time.flip = flags.tta == "flip";
  test_time.scales = flags.scales;
  test_time.merge = {flags.merge == "nms" ? BoxMerge::kNms : BoxMerge::kFuse, flags.merge_iou};
  check_test_time(test_time, views);
  return test_time;
}

}  // namespace conclave
