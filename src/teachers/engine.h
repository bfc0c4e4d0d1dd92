#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "datasets/view.h"
#include "models/detector.h"
#include "teachers/engine_options.h"

namespace conclave {

// A frozen detector. One thread at a time; sets the calling thread's intra-op thread count.
class Engine {
 public:
  // Throws Error as load_detector does.
  Engine(const std::filesystem::path& weights, const EngineOptions& options);

  // Views of one size (H,W multiples of 32; may differ from the size that the model was trained at).
  // Float32 CPU tensors, contiguous, no graph. On CPU the answer to a view does not depend on the others in the call.
  // Throws Error (where = the teacher's file) for a non-finite output.
  HeadOutputs run(const std::vector<View>& views);

  const ModelSpec& spec() const { return model_->spec(); }
  const std::string& hash() const { return hash_; }
  const EngineOptions& options() const { return options_; }

 private:
  HeadOutputs run_batch(std::span<const View> views, std::size_t size);  // the last view is repeated up to `size`

  std::string where_;
  EngineOptions options_;
  std::shared_ptr<Detector> model_;
  std::string hash_;
};

}  // namespace conclave
