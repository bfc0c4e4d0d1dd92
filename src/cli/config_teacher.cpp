#include "cli/config_teacher.h"

#include <filesystem>

namespace conclave {
namespace {

void bind_alone(ConfigTable& table, TeacherOptions& teacher) {
  table.value("name", teacher.name, "as the trainer's configuration names it");
  table.value("weights", teacher.weights, "a safetensors, TorchScript or ONNX file");
  table.value("classes", teacher.classes, "in channel order");
  bind_format(table.section("format", ""), teacher.format);
}

}  // namespace

void bind_format(ConfigTable& table, TeacherFormat& f) {
  table.choice<TeacherKind>("kind", f.kind,
                            {{"heads", TeacherKind::kHeads},
                             {"boxes", TeacherKind::kBoxes},
                             {"rows", TeacherKind::kRows},
                             {"columns", TeacherKind::kColumns}},
                            "heads: heat, wh and offset maps; boxes: boxes, scores and classes; rows: x0 y0 x1 y1 "
                            "score class; columns: cx cy w h and a score per class (docs/bring_your_own_teacher.md)");
  table.value("outputs", f.outputs,
              "which output is which, by name or position; {}: by the usual names, else in order");
  table.tuple("input", std::vector<int*>{&f.width, &f.height},
              "width and height of its input in pixels; [0, 0]: what the file fixes, else the student's", 0, 16384);
  table.choice<Fit>("fit", f.fit, {{"letterbox", Fit::kLetterbox}, {"stretch", Fit::kStretch}},
                    "how a view comes into an input of another size");
  table.value("pad", f.pad, "grey around a letterboxed view", 0, 255);
  table.choice<bool>("colour", f.bgr, {{"rgb", false}, {"bgr", true}}, "order of the input's channels");
  table.tuple("mean", {&f.mean[0], &f.mean[1], &f.mean[2]},
              "of values in 0 to 255, in the order of the channels, subtracted from the input", -1e6, 1e6);
  table.tuple("std", {&f.std[0], &f.std[1], &f.std[2]}, "divides the input", 1e-6, 1e6);
  table.value("batch", f.batch, "views in each call; more than 1 only for a file exported so", 1, 64);
  table.choice<bool>("heat", f.probability, {{"logits", false}, {"probability", true}}, "what the heat map holds");
  table.value("stride", f.stride, "input pixels per cell of the maps; 0: as their shapes say", 0, 1024);
  table.choice<bool>("wh", f.wh_pixels, {{"cells", false}, {"pixels", true}}, "unit of the wh map");
  table.choice<bool>("boxes", f.centred, {{"corners", false}, {"centred", true}},
                     "x0 y0 x1 y1, or centre and size; in pixels of the input");
  table.value("relative", f.relative, "boxes are in 0 to 1 of the input");
  table.value("first_class", f.first_class, "number of the first class; 1 where 0 is the background", 0, 1000);
  table.value("min_score", f.min_score, "weaker boxes are dropped", 1e-6, 1);
  table.value("nms", f.nms, "of boxes of one class that overlap by a larger IoU the best stays; 1: all stay", 0, 1);
  table.value("min_overlap", f.min_overlap, "of the Gaussians that boxes are drawn as", 0.05, 0.95);
}

TeacherOptions read_teacher_file(const std::string& path) {
  TeacherOptions teacher;
  ConfigErrors errors;
  const ConfigNode root = load_config(path, {}, errors);
  ConfigTable table;
  bind_alone(table, teacher);
  table.read(root, errors);
  if (errors.empty() && teacher.name.empty()) errors.add(root.place, "name is missing");
  if (errors.empty() && teacher.weights.empty()) errors.add(root.place, "weights is missing");
  errors.check("docs/bring_your_own_teacher.md lists every key");
  const std::filesystem::path weights = teacher.weights;
  if (weights.is_relative()) teacher.weights = (std::filesystem::path(path).parent_path() / weights).string();
  return teacher;
}

std::string teacher_file_text(const TeacherOptions& teacher) {
  TeacherOptions absolute = teacher;
  absolute.weights = std::filesystem::absolute(teacher.weights).string();
  ConfigTable table;
  bind_alone(table, absolute);
  return table.print(nullptr, false);
}

}  // namespace conclave
