#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/detection.h"
#include "models/detector.h"
#include "teachers/engine_options.h"
#include "teachers/teacher_format.h"

namespace conclave {

// What a network says about a batch, in terms of its own input.
struct NetAnswer {
  HeadOutputs heads;  // in cells of `stride` input pixels, CPU float32; or
  double stride_x = kStride, stride_y = kStride;
  bool boxes = false;                            // `heads` is undefined and
  std::vector<std::vector<Detection>> detected;  // holds each view's boxes, in pixels of the input
};

// A frozen network behind an engine: our own modules, or somebody else's file. One thread at a time.
class TeacherNet {
 public:
  virtual ~TeacherNet() = default;

  // rgb: (B,H,W,3) uint8, CPU; B as batch() says, H and W as input() does. Throws Error for what the network can't
  // compute and for answers that can't be what its description says.
  virtual NetAnswer run(const at::Tensor& rgb) = 0;

  virtual const std::vector<std::string>& classes() const = 0;
  // Width and height that it insists on; 0: any multiple of 32.
  virtual std::pair<int, int> input() const = 0;
  // Views of every call; 0: any number.
  virtual int batch() const = 0;
};

// A tensor that a foreign network gave, CPU float32, by its name or "" where outputs have none.
struct RawOutput {
  std::string name;
  at::Tensor tensor;
};

// Somebody else's file, without its meaning.
class RawNet {
 public:
  virtual ~RawNet() = default;
  // images: (B,3,H,W) float32, CPU.
  virtual std::vector<RawOutput> run(const at::Tensor& images) = 0;
  virtual std::pair<int, int> input() const { return {0, 0}; }  // width and height that the file fixes; 0: it does not
};

// Our own modules.
std::unique_ptr<TeacherNet> make_own_net(std::shared_ptr<Detector> model, const std::string& where,
                                         const EngineOptions& options);
// A raw network read as `file` describes it.
std::unique_ptr<TeacherNet> make_foreign_net(std::unique_ptr<RawNet> raw, const TeacherFile& file,
                                             const std::string& where);

}  // namespace conclave
