#pragma once

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "core/detection.h"
#include "student/pseudo_boxes.h"

namespace conclave {

// What teachers have said so far, one line of JSON each, so that a killed process goes on where it was:
//   {"made_by": TEXT}                                  what decides the boxes
//   {"thresholds": [[score, precision, recall, f1]]}   per class
//   [[class, score, x0, y0, x1, y1], ...]              per view, in the order of asking
// (made_by thresholds view*). One thread.
class PseudoJournal {
 public:
  // Begins `file` anew, or goes on with what is there where `reuse`: a last line that was cut off is dropped. Throws
  // Error, having touched nothing, when what is there has another made_by, and when the file can't be written.
  PseudoJournal(std::filesystem::path file, const std::string& made_by, bool reuse);

  // What the file was made by; nothing where there is none or it is no journal.
  static std::optional<std::string> made_by(const std::filesystem::path& file);

  const std::optional<std::vector<ClassThreshold>>& thresholds() const { return thresholds_; }
  const std::vector<std::vector<Detection>>& views() const { return views_; }

  void add(const std::vector<ClassThreshold>& thresholds);
  void add(const std::vector<Detection>& view);

 private:
  void append(const std::string& line);

  std::filesystem::path file_;
  std::optional<std::vector<ClassThreshold>> thresholds_;
  std::vector<std::vector<Detection>> views_;
  std::ofstream out_;
};

// Thresholds and views as such lines, and back.
std::string to_text(const std::vector<ClassThreshold>& thresholds, const std::vector<std::vector<Detection>>& views);
void from_text(const std::string& text, std::vector<ClassThreshold>& thresholds,
               std::vector<std::vector<Detection>>& views);

}  // namespace conclave
