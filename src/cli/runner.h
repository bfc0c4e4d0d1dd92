#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "models/detector.h"
#include "student/detect.h"

namespace conclave {

struct RunnerOptions {
  std::string device = "cpu";
  bool bf16 = false;   // own weights alone; with channels-last kernels
  std::string python;  // runs what this program can't; empty: an error says so
};

// A detector ready to run: our weights, or what conclave export made of them.
struct Runner {
  RunNetwork network;
  std::vector<std::string> classes;
  std::string format;                        // "safetensors", ...
  int width = 512, height = 512;             // of its input, pixels
  bool any_size = true;                      // it takes other multiples of 32 as well
  int batch = 0;                             // images that each call computes, whatever it is given; 0: as many
  std::string hash;                          // sha256 of the file
  std::map<std::string, double> thresholds;  // per class, where its metadata has them
  std::int64_t file_bytes = 0;
  std::shared_ptr<Detector> detector;  // own weights alone
};

// `file`: weights (.safetensors), the folder of an export, or the network's file in it, beside its model.json. Throws
// Error as load_detector does; for an export without its model.json or that nothing here can run; for options that a
// format does not have.
Runner open_runner(const std::filesystem::path& file, const RunnerOptions& options);

// The metadata entry "thresholds": {"person": 0.42, ...}, scores of the best F1. Throws Error (where) for another form.
std::map<std::string, double> thresholds_from(const std::map<std::string, std::string>& metadata,
                                              const std::string& where);

// Views of a runner's own size, or of --size. Throws Error (Exit::kUsage) for a size, or scales, that it can't take.
ViewOptions views_for(const Runner& runner, const std::vector<int>& size, const std::vector<double>& scales);

}  // namespace conclave
