#pragma once

#include <filesystem>
#include <optional>

#include "models/weights.h"

namespace conclave {

// Everything that a training needs to go on bit-identically. Random state is counter-based: the step is all of it.
struct Checkpoint {
  std::int64_t step = 0;                        // optimizer steps done
  double best = -1;                             // best validation AP so far
  TensorMap tensors;                            // "model/…", "ema/…", "optimizer/…"
  std::map<std::string, std::string> metadata;  // config hash and the like
};

// folder/step-00001200.safetensors, written aside, synced and renamed; then earlier steps beyond `keep` are removed.
void save_checkpoint(const std::filesystem::path& folder, const Checkpoint& checkpoint, int keep = 2);

// The newest that loads whole; one that is damaged (a checksum covers all that the file says) or renamed is passed over
// with a warning. Nothing when there is none; throws Error when there are some and none can be read.
std::optional<Checkpoint> load_checkpoint(const std::filesystem::path& folder);

}  // namespace conclave
