#pragma once

#include <string>
#include <vector>

#include "export/build_graph.h"

namespace conclave {

enum class ExportFormat { kOnnx, kTorchScript, kCaffe, kTensorRt, kOpenVino, kNcnn };

// What a format takes and who looks after it: the table of conclave export --list and docs/export.md.
struct FormatRow {
  ExportFormat format;
  std::string name;      // on the command line
  std::string file;      // what is loaded
  std::string needs;     // to be written
  std::string verified;  // what runs it and compares
  bool dynamic_batch, dynamic_size, exact_peaks, boxes, half;
};

const std::vector<FormatRow>& export_formats();

// Throws Error that lists the known names.
const FormatRow& find_format(const std::string& name);

struct ExportOptions {
  ExportFormat format = ExportFormat::kOnnx;
  GraphOptions graph;
  bool dynamic_batch = false, dynamic_size = false;
  int opset = 17;  // of ONNX, TensorRT and OpenVINO
};

// Throws Error that says what this format can't have, and what to use instead.
void check_export(const ExportOptions& options);

}  // namespace conclave
