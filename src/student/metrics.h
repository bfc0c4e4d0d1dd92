#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

namespace conclave {

// One row of metrics.jsonl about a training step.
struct StepMetrics {
  std::int64_t step = 0;                              // optimizer steps done
  double epoch = 0;                                   // passes over all sets, with fraction
  double loss = 0;                                    // of this step's batch
  std::vector<std::pair<std::string, double>> terms;  // "labels/heat", "rbc/wh", ...; their sum is the loss
  double lr = 0;
  double images_per_second = 0;            // since the row before
  double data_wait = 0, teacher_wait = 0;  // shares of that time, 0..1
  double grad_norm = 0;                    // before clipping
};
nlohmann::ordered_json to_json(const StepMetrics& metrics);

// A text file of rows, each about one step, that survives being killed and resumed: opening it for a training that goes
// on after `step` first drops the rows of later steps and a torn last row.
class RowFile {
 public:
  enum class Format { kJson, kTrace };  // where a row's step stands: {"step": n, ...} or "n ..."

  // Throws Error (where = path) when it can't be written.
  RowFile(std::filesystem::path path, Format format, std::int64_t step);

  void write(const std::string& row);  // without line end
  void flush();                        // to the system; throws Error (a full disk, say)

 private:
  std::filesystem::path path_;
  std::ofstream file_;
};

// A row of trace.txt: "step loss" with the loss as a hexadecimal float, so that traces compare bit for bit.
std::string trace_row(std::int64_t step, float loss);

}  // namespace conclave
