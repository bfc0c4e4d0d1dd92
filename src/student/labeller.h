#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "student/pseudo.h"
#include "student/run_folder.h"

namespace conclave {

// What the teachers see on the training sets, as a COCO file for use anywhere: every image, the labels of the classes
// that its set labels, and for all other classes the teachers' boxes with their scores (method pseudo's labels made
// once). Until it is whole, what was said so far is kept in the folder OUT.part. Calls: run finish.
class Labeller {
 public:
  // Loads the sets, so that everything wrong with them is found before a worker starts. Writes nothing. Throws Error as
  // load_dataset, derive_coverage and check_thresholds do, and when `out` exists, when OUT.part does and `resume` is
  // false, when it was begun with another configuration, and when no class needs a teacher.
  Labeller(RunOptions options, std::vector<TeacherChannels> teachers, std::filesystem::path out, bool resume);

  // As they are used: method pseudo, once; the run folder is OUT.part.
  const RunOptions& options() const { return options_; }
  std::string coverage_text() const;

  struct Written {
    std::size_t images = 0, given = 0, boxes = 0;  // boxes: of the teachers
    std::filesystem::path folder;                  // that the file names start from
  };
  // Throws as make_pseudo_labels does; what was said is kept.
  Written run(TargetSource& source);
  // Removes OUT.part. Call when nobody writes there any more.
  void finish();

 private:
  PseudoInput input() const { return {options_, datasets_, val_, coverage_, teachers_}; }
  std::filesystem::path journal() const { return part_ / "boxes.jsonl"; }

  RunOptions options_;
  std::vector<TeacherChannels> teachers_;
  const std::filesystem::path out_, part_;
  const bool resume_;
  std::vector<Dataset> datasets_;
  std::vector<CoveredSet> sets_;
  std::optional<Dataset> val_;
  Coverage coverage_;
  std::optional<RunLock> lock_;
};

}  // namespace conclave
