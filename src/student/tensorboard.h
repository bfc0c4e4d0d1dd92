#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace conclave {

using Scalars = std::vector<std::pair<std::string, float>>;

// The bytes of tensorflow.Event messages (tensorflow/core/util/event.proto, framework/summary.proto).
std::string encode_version(double wall_time);                                             // "brain.Event:2"
std::string encode_session_start(double wall_time, std::int64_t step);                    // purges steps from `step` on
std::string encode_scalars(double wall_time, std::int64_t step, const Scalars& scalars);  // Summary.simple_value
// A TFRecord: length, masked CRC-32C of it, the bytes, masked CRC-32C of them; little-endian.
std::string frame_record(const std::string& bytes);

// Writes scalars where TensorBoard finds them: a new file events.out.tfevents.* in `folder` per process. A training
// that goes on after `resumed_at` steps tells TensorBoard to forget what an earlier process wrote for later steps.
class EventWriter {
 public:
  // Throws Error (where = the file) when it can't be made.
  EventWriter(const std::filesystem::path& folder, std::optional<std::int64_t> resumed_at = {});

  void write(std::int64_t step, const Scalars& scalars);  // flushed; failures are ignored after the first warning

 private:
  std::filesystem::path path_;
  std::ofstream file_;
  bool warned_ = false;
};

}  // namespace conclave
