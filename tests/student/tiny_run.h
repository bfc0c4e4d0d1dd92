#pragma once

#include <filesystem>
#include <string>

#include "datasets/dataset.h"
#include "student/options.h"
#include "support/temporary_folder.h"

namespace conclave {

// Two dozen 64x64 pictures with red and blue squares on noise, and a run that learns them in seconds.
class TinyRun {
 public:
  TinyRun();

  // Into <folder>/name; width-8 network, batch 4. `labelled`: of the training set.
  RunOptions options(const std::string& name, Method method = Method::kLabels,
                     const std::vector<std::string>& labelled = {"red", "blue"}) const;

  // Makes an untrained detector of one class whose weights lie at the returned path.
  std::filesystem::path make_teacher(const std::string& cls, std::uint64_t seed) const;

  TemporaryFolder folder;
};

}  // namespace conclave
