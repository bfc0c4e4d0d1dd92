#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "datasets/view.h"
#include "models/detector.h"
#include "teachers/engine_options.h"
#include "teachers/teacher_format.h"
#include "teachers/teacher_net.h"

namespace conclave {

// A frozen detector. One thread at a time; sets the calling thread's intra-op thread count.
class Engine {
 public:
  // Our own weights, a TorchScript file or an ONNX file. Throws Error as load_detector, open_torchscript, open_onnx and
  // check_format do.
  Engine(const TeacherFile& file, const EngineOptions& options);

  // Views of one size (H,W multiples of 32; may differ from the size that the model was trained at). Heads on the
  // views' grid of kStride pixels, whatever the network's own input and grid are; boxes of a detector are drawn
  // (box_targets.h). Float32 CPU tensors, contiguous, no graph. On CPU the answer to a view does not depend on the
  // others in the call. Throws Error (where = the teacher's file) for a non-finite output, and for one that can't be
  // what the teacher's description says.
  HeadOutputs run(const std::vector<View>& views);
  // The same from the views' pixels, (B,H,W,3) uint8 RGB, CPU.
  HeadOutputs run(const at::Tensor& pixels);

  const std::vector<std::string>& classes() const { return net_->classes(); }
  // SHA-256 of all that decides its answers but EngineOptions: the file, and what is described beside it.
  const std::string& hash() const { return hash_; }
  const EngineOptions& options() const { return options_; }

 private:
  // The last view is repeated up to `size`.
  HeadOutputs run_batch(const at::Tensor& pixels, std::int64_t size);

  std::string where_;
  EngineOptions options_;
  TeacherFormat format_;
  std::string hash_;
  std::unique_ptr<TeacherNet> net_;
};

}  // namespace conclave
