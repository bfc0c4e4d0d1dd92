#include "teachers/teacher_format.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "core/error.h"
#include "core/join.h"

namespace conclave {

TeacherFileType type_of(const std::filesystem::path& weights) {
  const std::string extension = weights.extension().string();
  if (extension == ".safetensors") return TeacherFileType::kOwn;
  if (extension == ".pt" || extension == ".torchscript") return TeacherFileType::kTorchScript;
  if (extension == ".onnx") return TeacherFileType::kOnnx;
  throw Error("is not a teacher's file by its name", weights.string(),
              extension == ".pth" || extension == ".pkl" || extension == ".ckpt"
                  ? "a checkpoint of tensors is turned into weights by scripts/import_checkpoint.py"
                  : "a teacher is a .safetensors, .pt (TorchScript) or .onnx file",
              Exit::kUsage);
}

std::string text_of(const TeacherFormat& format) {
  return nlohmann::ordered_json{{"input", {format.width, format.height}},
                                {"fit", static_cast<int>(format.fit)},
                                {"pad", format.pad},
                                {"bgr", format.bgr},
                                {"mean", format.mean},
                                {"std", format.std},
                                {"batch", format.batch},
                                {"kind", static_cast<int>(format.kind)},
                                {"outputs", format.outputs},
                                {"probability", format.probability},
                                {"stride", format.stride},
                                {"wh_pixels", format.wh_pixels},
                                {"relative", format.relative},
                                {"centred", format.centred},
                                {"first_class", format.first_class},
                                {"min_score", format.min_score},
                                {"nms", format.nms},
                                {"min_overlap", format.min_overlap}}
      .dump();
}

const std::vector<std::string>& parts_of(TeacherKind kind) {
  static const std::vector<std::string> heads = {"heat", "wh", "offset"}, boxes = {"boxes", "scores", "classes"},
                                        rows = {"rows"}, columns = {"columns"};
  switch (kind) {
    case TeacherKind::kHeads:
      return heads;
    case TeacherKind::kBoxes:
      return boxes;
    case TeacherKind::kRows:
      return rows;
    default:
      return columns;
  }
}

void check_format(const TeacherFile& file, const std::string& where) {
  const TeacherFormat& format = file.format;
  const auto require = [&](bool ok, const std::string& field, const std::string& what, const std::string& hint = {}) {
    if (!ok) throw Error(field + ": " + what, where, hint, Exit::kUsage);
  };
  require((format.width == 0) == (format.height == 0), "format.input", "one side is 0 and the other is not");
  if (type_of(file.weights) == TeacherFileType::kOwn) {
    TeacherFormat stated;
    stated.width = format.width;
    stated.height = format.height;
    stated.fit = format.fit;
    stated.pad = format.pad;
    require(format == stated, "format", "weights of conclave state everything but `input`, `fit` and `pad` themselves",
            "leave the other keys out");
    require(format.width % 32 == 0 && format.height % 32 == 0, "format.input", "both sides must be multiples of 32");
    return;
  }
  require(!file.classes.empty(), "classes", "is missing: the file does not say what it detects",
          "list its classes in the order of its channels");
  require(std::set<std::string>(file.classes.begin(), file.classes.end()).size() == file.classes.size(), "classes",
          "a class is named twice");
  require(format.batch == 1 || format.kind == TeacherKind::kHeads, "format.batch", "boxes come from one view per call");
  const std::vector<std::string>& parts = parts_of(format.kind);
  std::set<std::string> seen;
  for (const auto& [part, name] : format.outputs) {
    require(std::find(parts.begin(), parts.end(), part) != parts.end(), "format.outputs",
            "there is no '" + part + "' among what this kind gives: " + join(parts));
    require(seen.insert(part).second, "format.outputs", "'" + part + "' is given twice");
  }
  for (const float value : format.std) require(value > 0, "format.std", "must be above 0");
}

}  // namespace conclave
