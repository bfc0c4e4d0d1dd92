#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "export/formats.h"
#include "export/runtime.h"

namespace conclave {

// What an export is of.
struct ExportSource {
  std::string file;    // as the user named it
  std::string sha256;  // of the weights
  // Per class, the score from which on its boxes count, where the weights state it.
  std::map<std::string, double> thresholds = {};
};

// Writes the files of a format into this empty folder: the network, examples that load it and draw boxes, and what a
// format needs beside that. `python`: the Python that openvino's and ncnn's converters are looked for beside, before
// PATH. Throws Error that names the layer for an operator that the format lacks, and when a converter is missing or
// fails. The model is in eval mode.
void write_export(Detector& model, const ExportSource& source, const ExportOptions& options, const std::string& python,
                  const std::filesystem::path& folder);

// model.json: what the file is, what it takes and gives.
nlohmann::ordered_json describe_export(const ModelSpec& spec, const ExportSource& source, const ExportOptions& options);

// Whether OpenCV 4.6 can run this export.
bool opencv_reads(const ExportOptions& options);

// Everything here that can run the files; `skipped` says what is not, and why.
std::vector<std::unique_ptr<Runtime>> runtimes_of(const ExportOptions& options, const std::string& python,
                                                  const std::filesystem::path& folder,
                                                  std::vector<std::string>& skipped);

}  // namespace conclave
