#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>

#include "core/error.h"
#include "core/join.h"
#include "datasets/box_fusion.h"
#include "models/spec.h"
#include "teachers/box_targets.h"
#include "teachers/teacher_net.h"

namespace conclave {
namespace {

constexpr double kRangeSlack = 1e-4;          // by which a probability may miss [0,1]
constexpr float kMostRelative = 1.5f;         // that a corner of a box in shares of the input may reach
constexpr double kMostPositive = 0.5;         // share of cells above p = 0.5 that no detector's heat reaches
constexpr std::int64_t kMostBoxes = 1 << 20;  // before weak ones are dropped

// Names by which the parts go in exports that people have.
const std::vector<std::string>& usual_names(const std::string& part) {
  static const std::vector<std::pair<std::string, std::vector<std::string>>> table = {
      {"heat", {"heat", "hm", "heatmap", "cls", "center_heatmap"}},
      {"wh", {"wh", "size"}},
      {"offset", {"offset", "reg", "off"}},
      {"boxes", {"boxes", "bboxes", "dets"}},
      {"scores", {"scores", "score"}},
      {"classes", {"classes", "labels", "class_ids"}},
      {"rows", {"rows", "output0", "detections"}},
      {"columns", {"columns", "output0"}}};
  for (const auto& [name, names] : table) {
    if (name == part) return names;
  }
  return table.front().second;
}

std::string shape_text(const at::Tensor& tensor) {
  std::vector<std::string> sizes;
  for (const std::int64_t n : tensor.sizes()) sizes.push_back(std::to_string(n));
  return "(" + join(sizes, ",") + ")";
}

bool is_position(const std::string& text) {
  return !text.empty() && text.size() < 4 && text.find_first_not_of("0123456789") == std::string::npos;
}

class ForeignNet final : public TeacherNet {
 public:
  ForeignNet(std::unique_ptr<RawNet> raw, const TeacherFile& file, const std::string& where)
      : raw_(std::move(raw)), format_(file.format), classes_(file.classes), where_(where) {
    const auto [width, height] = raw_->input();
    if (width != 0 && format_.width != 0 && (width != format_.width || height != format_.height)) {
      wrong("format.input", "is " + std::to_string(format_.width) + " x " + std::to_string(format_.height) +
                                ", but the file is made for " + std::to_string(width) + " x " + std::to_string(height));
    }
    if (format_.width == 0) std::tie(format_.width, format_.height) = raw_->input();
  }

  NetAnswer run(const at::Tensor& rgb) override {
    ModelSpec spec;
    spec.mean = format_.mean;
    spec.std = format_.std;
    const at::Tensor images = normalise(format_.bgr ? rgb.flip(3) : rgb, spec).contiguous();
    const std::vector<RawOutput> outputs = raw_->run(images);
    NetAnswer answer;
    if (format_.kind == TeacherKind::kHeads) {
      read_heads(outputs, images, answer);
    } else {
      answer.boxes = true;
      answer.detected = {read_boxes(outputs, images)};
    }
    looked_at_ = true;
    return answer;
  }

  const std::vector<std::string>& classes() const override { return classes_; }
  std::pair<int, int> input() const override { return {format_.width, format_.height}; }
  int batch() const override { return format_.batch; }

 private:
  [[noreturn]] void wrong(const std::string& field, const std::string& what, const std::string& hint = {}) const {
    throw Error(field + ": " + what, where_, hint);
  }

  std::string given(const std::vector<RawOutput>& outputs) const {
    std::vector<std::string> each;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      std::string& text = each.emplace_back(outputs[i].name);
      if (text.empty()) text = std::to_string(i);
      text.append(" ").append(shape_text(outputs[i].tensor));
    }
    return "the file gives " + join(each);
  }

  const at::Tensor* find(const std::vector<RawOutput>& outputs, const std::string& name) const {
    for (const RawOutput& output : outputs) {
      if (output.name == name) return &output.tensor;
    }
    if (is_position(name) && std::stoul(name) < outputs.size()) return &outputs[std::stoul(name)].tensor;
    return nullptr;
  }

  // What the description calls a part; else the one of a usual name; else the one at the part's position.
  const at::Tensor* part(const std::vector<RawOutput>& outputs, const std::string& name, std::size_t position) const {
    for (const auto& [key, value] : format_.outputs) {
      if (key != name) continue;
      if (const at::Tensor* found = find(outputs, value)) return found;
      wrong("format.outputs", name + " is said to be '" + value + "', but " + given(outputs));
    }
    for (const std::string& usual : usual_names(name)) {
      if (const at::Tensor* found = find(outputs, usual)) return found;
    }
    return position < outputs.size() ? &outputs[position].tensor : nullptr;
  }

  at::Tensor finite(const at::Tensor& tensor, const std::string& name) const {
    at::Tensor values = tensor.contiguous();
    if (!at::isfinite(values).all().item<bool>()) {
      throw Error("the teacher's " + name + " is not finite", where_,
                  "its weights or format.mean and format.std are wrong");
    }
    return values;
  }

  void read_heads(const std::vector<RawOutput>& outputs, const at::Tensor& images, NetAnswer& answer) {
    at::Tensor heads[3];
    for (std::size_t i = 0; i < 3; ++i) {
      const std::string& name = parts_of(TeacherKind::kHeads)[i];
      const at::Tensor* found = part(outputs, name, i);
      if (found == nullptr) {
        wrong("format.outputs", "there is no " + name + ": " + given(outputs),
              "for a network that gives boxes set format.kind");
      }
      const std::int64_t channels = i == 0 ? static_cast<std::int64_t>(classes_.size()) : 2;
      if (found->dim() != 4 || found->size(0) != images.size(0) || found->size(1) != channels) {
        wrong(i == 0 ? "classes" : "format.outputs",
              name + " must be (" + std::to_string(images.size(0)) + "," + std::to_string(channels) + ",h,w), " +
                  (i == 0 ? "a channel for each of [" + join(classes_) + "]" : "but " + shape_text(*found) + " is") +
                  (i == 0 ? ", but it is " + shape_text(*found) : "") + "; " + given(outputs),
              "name the outputs in format.outputs, {heat: …, wh: …, offset: …}, by name or position");
      }
      heads[i] = finite(*found, name);
    }
    const auto [heat, wh, offset] = std::tie(heads[0], heads[1], heads[2]);
    if (wh.size(2) != heat.size(2) || offset.size(2) != heat.size(2) || wh.size(3) != heat.size(3) ||
        offset.size(3) != heat.size(3)) {
      wrong("format.outputs", "heat, wh and offset differ in size: " + given(outputs));
    }
    answer.stride_x = stride(images.size(3), heat.size(3), "width");
    answer.stride_y = stride(images.size(2), heat.size(2), "height");
    check_range(heat);
    if (!looked_at_) look_at(heat, wh, offset);
    answer.heads.heat = format_.probability ? at::logit(heat.to(at::kDouble), 1e-7).to(at::kFloat) : heat;
    answer.heads.wh = wh;
    if (format_.wh_pixels) {
      const at::Tensor strides = at::tensor({static_cast<float>(answer.stride_x), static_cast<float>(answer.stride_y)});
      answer.heads.wh = wh / strides.view({1, 2, 1, 1});
    }
    answer.heads.offset = offset;
  }

  double stride(std::int64_t pixels, std::int64_t cells, const char* side) const {
    const std::string seen =
        std::string(side) + " " + std::to_string(pixels) + " gives " + std::to_string(cells) + " cells";
    if (cells < 1 || pixels % cells != 0)
      wrong("format.input", seen + ", which is no whole stride", "choose a size that the network's stride divides");
    if (format_.stride != 0 && pixels / cells != format_.stride)
      wrong("format.stride", "is " + std::to_string(format_.stride) + ", but " + seen);
    return static_cast<double>(pixels / cells);
  }

  void check_range(const at::Tensor& heat) const {
    if (!format_.probability) return;
    const double least = heat.min().item<double>(), most = heat.max().item<double>();
    if (least < -kRangeSlack || most > 1 + kRangeSlack) {
      wrong("format.heat",
            "is said to be a probability, but its values reach from " + std::to_string(least) + " to " +
                std::to_string(most),
            "these are logits, heat: logits, or another output (format.outputs)");
    }
  }

  // What can't be told from one answer for certain, but is never so in a detector that works. Once.
  void look_at(const at::Tensor& heat, const at::Tensor& wh, const at::Tensor& offset) const {
    const double middle = format_.probability ? 0.5 : 0.0;
    const double positive = heat.gt(middle).to(at::kDouble).mean().item<double>();
    if (positive > kMostPositive) {
      const bool like_p = !format_.probability && heat.min().item<double>() >= 0 && heat.max().item<double>() <= 1;
      wrong(like_p ? "format.heat" : "format.outputs",
            "heat would be above 0.5 in " + std::to_string(std::lround(100 * positive)) + " % of all cells",
            like_p ? "its values lie within [0,1]: set format.heat to probability"
                   : "it is another output, or not what format.mean and format.std say it takes");
    }
    const double sizes = wh.abs().mean().item<double>(), shifts = offset.abs().mean().item<double>();
    if (shifts > 1.5 && shifts > sizes) {
      wrong("format.outputs",
            "offset is " + std::to_string(shifts) + " on average and wh " + std::to_string(sizes) +
                "; an offset lies within [0,1)",
            "the two are exchanged, or it is not an offset");
    }
  }

  // ---- Boxes

  at::Tensor flat(const at::Tensor& tensor, std::int64_t dims, const std::string& name) const {
    at::Tensor values = tensor;
    while (values.dim() > dims && values.size(0) == 1) values = values.squeeze(0);
    if (values.dim() != dims) {
      wrong("format.kind", name + " has shape " + shape_text(tensor) + ", which does not fit this kind",
            "docs/bring_your_own_teacher.md shows the shapes of each kind");
    }
    if (values.numel() > kMostBoxes * 8) wrong("format.kind", name + " has shape " + shape_text(tensor));
    return finite(values, name);
  }

  const at::Tensor& needed(const std::vector<RawOutput>& outputs, std::size_t position) const {
    const std::string& name = parts_of(format_.kind)[position];
    if (const at::Tensor* found = part(outputs, name, position)) return *found;
    wrong("format.outputs", "there is no " + name + ": " + given(outputs));
  }

  std::vector<Detection> read_boxes(const std::vector<RawOutput>& outputs, const at::Tensor& images) const {
    Candidates all{*this, images, {}};
    if (format_.kind == TeacherKind::kRows) {
      read_rows(flat(needed(outputs, 0), 2, "rows"), all);
    } else if (format_.kind == TeacherKind::kColumns) {
      read_columns(flat(needed(outputs, 0), 2, "columns"), all);
    } else {
      read_separate(outputs, all);
    }
    check_scale(all);
    return suppress(std::move(all.kept), format_.nms);
  }

  // Gathers boxes that are strong enough, in pixels of the input.
  struct Candidates {
    const ForeignNet& net;
    const at::Tensor& images;
    std::vector<Detection> kept;
    std::int64_t boxes = 0;  // with an extent, however weak
    float furthest = 0;      // of their coordinates, as the network gives them
    bool counts = false;     // one of them is strong enough

    void add(const float* box, std::int64_t step, bool centred, float score, std::int64_t cls) {
      const TeacherFormat& format = net.format_;
      const auto count = static_cast<std::int64_t>(net.classes_.size());
      if (!(score >= -kRangeSlack && score <= 1 + kRangeSlack)) {
        net.wrong("format.outputs", "a score is " + std::to_string(score) + ", not within [0,1]",
                  "scores must have been through the sigmoid or softmax");
      }
      const float far =
          std::max({std::abs(box[0]), std::abs(box[step]), std::abs(box[2 * step]), std::abs(box[3 * step])});
      if (score > 0 && far > 0) {
        ++boxes;
        furthest = std::max(furthest, far);
      }
      if (score < static_cast<float>(format.min_score)) return;
      counts = counts || far > 0;
      cls -= format.first_class;
      if (cls < 0 || cls >= count) {
        net.wrong("format.first_class",
                  "a box is of class " + std::to_string(cls + format.first_class) + ", but there are " +
                      std::to_string(count) + " classes, numbered from " + std::to_string(format.first_class),
                  "correct classes or format.first_class");
      }
      float x0 = box[0], y0 = box[step], x1 = box[2 * step], y1 = box[3 * step];
      if (centred) {
        const float x = x0, y = y0, w = x1, h = y1;
        x0 = x - w / 2;
        y0 = y - h / 2;
        x1 = x + w / 2;
        y1 = y + h / 2;
      }
      const auto width = static_cast<float>(images.size(3)), height = static_cast<float>(images.size(2));
      if (format.relative) {
        x0 *= width;
        x1 *= width;
        y0 *= height;
        y1 *= height;
      }
      if (x1 < x0 || y1 < y0) {
        net.wrong("format.boxes",
                  "a box ends before it begins: " + std::to_string(x0) + " " + std::to_string(y0) + " to " +
                      std::to_string(x1) + " " + std::to_string(y1),
                  "the boxes are centre and size: boxes: centred");
      }
      if (x0 < -width || y0 < -height || x1 > 2 * width || y1 > 2 * height) {
        net.wrong("format.boxes",
                  "a box lies far outside of the input: " + std::to_string(x0) + " " + std::to_string(y0) + " to " +
                      std::to_string(x1) + " " + std::to_string(y1),
                  "coordinates are pixels of the input, or with `relative: true` shares of it");
      }
      kept.push_back({{x0, y0, x1, y1}, static_cast<int>(cls), std::min(score, 1.0f)});
    }
  };

  // Boxes that all lie in the first pixel are shares of the input, not pixels. Until boxes of pixels were seen once.
  void check_scale(const Candidates& all) const {
    constexpr std::int64_t kTelling = 10;  // weak boxes; of those that count, one will do
    if (format_.relative || pixels_seen_) return;
    pixels_seen_ = all.furthest > kMostRelative;
    if (pixels_seen_ || (!all.counts && all.boxes < kTelling)) return;
    wrong("format.boxes",
          "are said to be in pixels, but all " + std::to_string(all.boxes) + " lie within " +
              std::to_string(all.furthest) + " pixels of the corner",
          "these are shares of the input: relative: true");
  }

  // A class number that came as a float.
  std::int64_t class_number(float value) const {
    const float rounded = std::nearbyint(value);
    if (std::abs(value - rounded) > 1e-3f || std::abs(value) > 1e6f)
      wrong("format.outputs", "a class is " + std::to_string(value) + ", not a whole number");
    return static_cast<std::int64_t>(rounded);
  }

  void read_rows(const at::Tensor& rows, Candidates& all) const {
    if (rows.size(1) != 6) {
      wrong("format.kind", "rows must be (N,6), x0, y0, x1, y1, score, class, but are " + shape_text(rows));
    }
    const float* row = rows.const_data_ptr<float>();
    for (std::int64_t i = 0; i < rows.size(0); ++i, row += 6) {
      if (row[4] == 0) continue;  // padding
      all.add(row, 1, format_.centred, row[4], class_number(row[5]));
    }
  }

  void read_columns(const at::Tensor& columns, Candidates& all) const {
    const auto classes = static_cast<std::int64_t>(classes_.size());
    if (columns.size(0) != 4 + classes) {
      wrong("classes", "columns must be (4+C,N), here (" + std::to_string(4 + classes) + ",N) for [" + join(classes_) +
                           "], but are " + shape_text(columns));
    }
    const std::int64_t count = columns.size(1);
    const float* values = columns.const_data_ptr<float>();
    for (std::int64_t i = 0; i < count; ++i) {
      std::int64_t best = 0;
      for (std::int64_t c = 1; c < classes; ++c) {
        if (values[(4 + c) * count + i] > values[(4 + best) * count + i]) best = c;
      }
      all.add(values + i, count, true, values[(4 + best) * count + i], best + format_.first_class);
    }
  }

  void read_separate(const std::vector<RawOutput>& outputs, Candidates& all) const {
    const at::Tensor boxes = flat(needed(outputs, 0), 2, "boxes");
    if (boxes.size(1) != 4) wrong("format.outputs", "boxes must be (N,4), but are " + shape_text(boxes));
    const at::Tensor& raw_scores = needed(outputs, 1);
    const at::Tensor* raw_classes = part(outputs, "classes", 2);
    const float* box = boxes.const_data_ptr<float>();
    if (raw_classes == nullptr) {  // a score per class
      const auto classes = static_cast<std::int64_t>(classes_.size());
      const at::Tensor scores = flat(raw_scores, 2, "scores");
      if (scores.size(0) != boxes.size(0) || scores.size(1) != classes) {
        wrong("classes", "without classes, scores must be (N,C), here (" + std::to_string(boxes.size(0)) + "," +
                             std::to_string(classes) + "), but are " + shape_text(scores));
      }
      for (std::int64_t i = 0; i < boxes.size(0); ++i) {
        const float* score = scores.const_data_ptr<float>() + i * classes;
        const std::int64_t best = std::max_element(score, score + classes) - score;
        all.add(box + 4 * i, 1, format_.centred, score[best], best + format_.first_class);
      }
      return;
    }
    const at::Tensor scores = flat(raw_scores, 1, "scores"), classes = flat(*raw_classes, 1, "classes");
    if (scores.size(0) != boxes.size(0) || classes.size(0) != boxes.size(0))
      wrong("format.outputs", "boxes, scores and classes differ in number: " + given(outputs));
    for (std::int64_t i = 0; i < boxes.size(0); ++i) {
      all.add(box + 4 * i, 1, format_.centred, scores.const_data_ptr<float>()[i],
              class_number(classes.const_data_ptr<float>()[i]));
    }
  }

  const std::unique_ptr<RawNet> raw_;
  TeacherFormat format_;
  const std::vector<std::string> classes_;
  const std::string where_;
  bool looked_at_ = false;
  mutable bool pixels_seen_ = false;
};

}  // namespace

std::unique_ptr<TeacherNet> make_foreign_net(std::unique_ptr<RawNet> raw, const TeacherFile& file,
                                             const std::string& where) {
  return std::make_unique<ForeignNet>(std::move(raw), file, where);
}

}  // namespace conclave
