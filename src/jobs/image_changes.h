#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace conclave {

// F1 by image id of one method, the mean over its runs that tell.
struct MethodImages {
  std::string method;
  std::map<std::int64_t, double> f1;
};

// The mean of several runs, of images that all of them have.
std::map<std::int64_t, double> mean_image_f1(const std::vector<const std::map<std::int64_t, double>*>& runs);

struct ImageChange {
  std::int64_t image = 0;
  std::string method;  // the one whose F1 differs
  double baseline = 0, other = 0;
};

// The images on which a method's F1 differs most from the baseline's: each method's largest gain and loss in turn, the
// largest first, each image once, at most `count`. Deterministic.
std::vector<ImageChange> largest_changes(const MethodImages& baseline, const std::vector<MethodImages>& others,
                                         std::size_t count);

}  // namespace conclave
