#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "student/detect.h"
#include "student/options.h"

namespace conclave {

// One who looks at images: a teacher, the student, a method's student.
struct Onlooker {
  std::string caption;
  std::function<RunNetwork()> open;  // called once, when its turn comes
  std::vector<int> student_class;    // of each of its channels, -1: left out
  std::vector<double> thresholds;    // per class of the student: lower scores are not drawn
  std::optional<ViewOptions> views;  // what it is shown; absent: as the run's
};

struct ShownImage {
  std::size_t index = 0;  // in the set
  std::string note;       // why it is shown; may be empty
};

// `count` images spread over the set.
std::vector<ShownImage> spread_images(const Dataset& set, std::size_t count);

// Draws each image as its labels and every onlooker see it: boxes, and below them heat as colour over the photo, one
// colour per class. Writes <folder>/pictures/*.jpg and returns {"pictures": groups, "picture_key": colours} as
// jobs/pictures.h reads them. `options` is a run's whose classes are the set's.
nlohmann::ordered_json draw_pictures(const Dataset& set, const std::vector<ShownImage>& images,
                                     const std::vector<Onlooker>& onlookers, const RunOptions& options,
                                     const std::filesystem::path& folder);

}  // namespace conclave
