#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace conclave {

// What a network answers with.
enum class TeacherKind {
  kHeads,    // three maps of one grid: heat (B,C,h,w), wh (B,2,h,w), offset (B,2,h,w)
  kBoxes,    // boxes (N,4), scores (N,) and classes (N,); or boxes (N,4) and a score per class (N,C)
  kRows,     // one tensor (N,6): x0, y0, x1, y1, score, class
  kColumns,  // one tensor (4+C,N): centre x, centre y, width, height, a score per class (YOLOv8 without its NMS)
};

// How a view comes into an input of another size.
enum class Fit { kLetterbox, kStretch };

// What somebody else's network takes and gives. Part of its answer: the teacher's hash covers it.
struct TeacherFormat {
  // In.
  int width = 0, height = 0;  // of its input, pixels; 0: as the file fixes it, else the view's
  Fit fit = Fit::kLetterbox;
  int pad = 114;                                             // grey around a letterboxed view, of [0,255]
  bool bgr = false;                                          // order of the input's channels
  std::array<float, 3> mean = {123.675f, 116.28f, 103.53f};  // of values in [0,255], in the order of the channels
  std::array<float, 3> std = {58.395f, 57.12f, 57.375f};
  int batch = 1;  // views in each call; heads alone

  // Out.
  TeacherKind kind = TeacherKind::kHeads;
  std::vector<std::pair<std::string, std::string>> outputs;  // "heat" -> its name or position; empty: as usual
  bool probability = false;                                  // heat has been through a sigmoid
  int stride = 0;                                            // input pixels per cell; 0: as the shapes say
  bool wh_pixels = false;                                    // wh in pixels of the input, not in cells

  // Out, boxes of any kind: in pixels of the input.
  bool relative = false;     // in [0,1] of the input instead
  bool centred = false;      // kBoxes: centre and size instead of two corners
  int first_class = 0;       // the number that the first class goes by (1 where 0 is the background)
  double min_score = 0.05;   // weaker boxes are dropped
  double nms = 0.6;          // of boxes of one class that overlap by a larger IoU the best stays; 1: all stay
  double min_overlap = 0.7;  // of the Gaussians drawn at their centres

  bool operator==(const TeacherFormat&) const = default;
};

// A teacher as it lies on disk. What decides how it is computed is its extension: .safetensors are our own weights, .pt
// and .torchscript TorchScript, .onnx ONNX.
struct TeacherFile {
  std::filesystem::path weights;
  std::vector<std::string> classes;  // in channel order; own weights know theirs
  TeacherFormat format;              // own weights: the input's size, fit and pad alone

  TeacherFile() = default;
  TeacherFile(std::filesystem::path path) : weights(std::move(path)) {}  // NOLINT: own weights need no more
};

enum class TeacherFileType { kOwn, kTorchScript, kOnnx };

// Throws Error for another extension.
TeacherFileType type_of(const std::filesystem::path& weights);

// Everything in the format as one line: equal text, equal format.
std::string text_of(const TeacherFormat& format);

// Throws Error (where = `where`) that names the field: a size without the other, a file that needs classes and has
// none, outputs of another kind, what own weights state themselves.
void check_format(const TeacherFile& file, const std::string& where);

// The names that `outputs` may give for a kind, in the order in which positions count.
const std::vector<std::string>& parts_of(TeacherKind kind);

}  // namespace conclave
