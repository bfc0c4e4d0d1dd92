#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace conclave {

// quality.json of a run as plain values (cli/run_quality.h says what they mean). NaN: not given.
struct ThresholdQuality {
  double score = 0, precision = 0, recall = 0, f1 = 0;
  bool found = false;  // on a set of its own; else fixed
};

struct ReliabilityBin {
  double score = 0, precision = 0;
  std::int64_t count = 0;
};

struct ClassQuality {
  std::int64_t objects = 0;
  std::vector<double> precision;  // at the recalls i / (size - 1); NaN where it is not reached
  std::optional<ThresholdQuality> threshold;
  std::vector<ReliabilityBin> bins;
  double calibration_error = std::numeric_limits<double>::quiet_NaN();
};

struct DetectorQuality {
  std::string name;
  std::map<std::string, ClassQuality> per_class;
  std::map<std::int64_t, double> image_f1;  // by image id; the student's alone
};

struct RunQuality {
  std::string set, thresholds_from;        // names of sets; thresholds_from empty: fixed thresholds
  std::vector<DetectorQuality> detectors;  // the student first
};

// <folder>/quality.json; nothing where it is absent. Throws Error as read_run_record does.
std::optional<RunQuality> read_run_quality(const std::filesystem::path& folder);

}  // namespace conclave
