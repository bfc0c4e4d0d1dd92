#include "teachers/engine.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "core/error.h"
#include "core/file.h"
#include "core/hash.h"
#include "models/weights.h"
#include "teachers/box_targets.h"
#include "teachers/onnx_net.h"
#include "teachers/placement.h"
#include "teachers/resample.h"
#include "teachers/torchscript_net.h"

namespace conclave {
namespace {

std::string hash_of(const std::string& bytes) {
  return sha256(std::as_bytes(std::span(bytes)));
}

// Of the file alone where nothing is described beside it, as it always was for our own weights.
std::string hash_with_format(const std::string& file_hash, const TeacherFile& file) {
  if (file.classes.empty() && file.format == TeacherFormat{}) return file_hash;
  std::string text = file_hash + " " + text_of(file.format);
  for (const std::string& name : file.classes)
    text.append(" ").append(std::to_string(name.size())).append(":").append(name);
  return hash_of(text);
}

// The boxes of one view, given in the network's input, in pixels of the view.
std::vector<Detection> in_view(std::vector<Detection> detections, const Affine& view_to_input, int width, int height) {
  const Affine to_view = view_to_input.inverse();
  for (Detection& detection : detections) {
    detection.box = clip(transform(to_view, detection.box), static_cast<float>(width), static_cast<float>(height));
  }
  return detections;
}

}  // namespace

Engine::Engine(const TeacherFile& file, const EngineOptions& options)
    : where_(file.weights.string()), options_(options), format_(file.format) {
  if (options_.threads < 1) throw Error("an engine needs at least one thread", where_);
  check_format(file, where_);
  const TeacherFileType type = type_of(file.weights);
  if (type == TeacherFileType::kOwn) {
    LoadedDetector loaded = load_detector(file.weights);
    TeacherFile described = file;
    described.classes.clear();  // they are in the file
    hash_ = hash_with_format(loaded.hash, described);
    net_ = make_own_net(std::move(loaded.model), where_, options_);
    return;
  }
  constexpr std::size_t kLargestFile = std::size_t{4} << 30;
  std::string bytes = read_file(file.weights, kLargestFile);
  hash_ = hash_with_format(hash_of(bytes), file);
  net_ = make_foreign_net(type == TeacherFileType::kTorchScript ? open_torchscript(std::move(bytes), where_, options_)
                                                                : open_onnx(std::move(bytes), where_, options_),
                          file, where_);
}

HeadOutputs Engine::run(const std::vector<View>& views) {
  if (views.empty()) throw Error("an engine was given no views", where_);
  const View& first = views.front();
  const std::size_t bytes = static_cast<std::size_t>(first.height) * static_cast<std::size_t>(first.width) * 3;
  at::Tensor pixels = at::empty({static_cast<std::int64_t>(views.size()), first.height, first.width, 3}, at::kByte);
  for (std::size_t i = 0; i < views.size(); ++i) {
    if (views[i].height != first.height || views[i].width != first.width || views[i].pixels.size() != bytes)
      throw Error("views of different sizes in one batch", where_);
    std::memcpy(pixels.data_ptr<std::uint8_t>() + i * bytes, views[i].pixels.data(), bytes);
  }
  return run(pixels);
}

// LibTorch's CPU convolutions take other paths for one image, and for sixteen or more, than for a few; their sums
// differ in the last bits. Between these bounds the split of views into batches does not change an answer.
HeadOutputs Engine::run(const at::Tensor& pixels) {
  constexpr std::int64_t kFewest = 2, kMost = 8;
  const std::int64_t fixed = net_->batch();
  const std::int64_t most = fixed == 0 ? kMost : fixed, fewest = fixed == 0 ? kFewest : fixed;
  const at::Tensor rgb = pixels.contiguous();
  std::vector<at::Tensor> heat, wh, offset;
  for (std::int64_t first = 0; first < rgb.size(0); first += most) {
    const std::int64_t count = std::min(most, rgb.size(0) - first);
    const HeadOutputs part = run_batch(rgb.narrow(0, first, count), std::max(fewest, count));
    heat.push_back(part.heat);
    wh.push_back(part.wh);
    offset.push_back(part.offset);
  }
  if (heat.size() == 1) return {heat[0], wh[0], offset[0]};
  return {at::cat(heat), at::cat(wh), at::cat(offset)};
}

HeadOutputs Engine::run_batch(const at::Tensor& pixels, std::int64_t size) {
  if (at::get_num_threads() != options_.threads) at::set_num_threads(options_.threads);
  const at::NoGradGuard no_grad;

  const std::int64_t count = pixels.size(0);
  const int view_height = static_cast<int>(pixels.size(1)), view_width = static_cast<int>(pixels.size(2));
  auto [width, height] = format_.width != 0 ? std::pair(format_.width, format_.height) : net_->input();
  if (width == 0) width = view_width, height = view_height;
  at::Tensor rgb = at::empty({size, height, width, 3}, at::kByte);
  const std::int64_t from_bytes = pixels.stride(0), to_bytes = rgb.stride(0);
  for (std::int64_t i = 0; i < size; ++i) {
    const std::uint8_t* from = pixels.const_data_ptr<std::uint8_t>() + std::min(i, count - 1) * from_bytes;
    place({from, view_width, view_height}, {rgb.data_ptr<std::uint8_t>() + i * to_bytes, width, height}, format_.fit,
          format_.pad);
  }
  NetAnswer answer = net_->run(rgb);

  const NetGrid grid{answer.stride_x, answer.stride_y, placement(view_width, view_height, width, height, format_.fit)};
  const int rows = view_height / kStride, columns = view_width / kStride;
  if (answer.boxes) {
    const auto boxes = in_view(std::move(answer.detected.front()), grid.view_to_input, view_width, view_height);
    return render_boxes(boxes, static_cast<int>(classes().size()), rows, columns, format_.min_overlap);
  }
  for (at::Tensor* head : {&answer.heads.heat, &answer.heads.wh, &answer.heads.offset}) {
    *head = head->narrow(0, 0, count).contiguous();
    if (!at::isfinite(*head).all().item<bool>()) {
      throw Error("the teacher's output is not finite", where_, "its weights or the image's normalisation are broken");
    }
  }
  const bool same =
      width == view_width && height == view_height && answer.stride_x == kStride && answer.stride_y == kStride;
  if (same) return answer.heads;
  std::vector<at::Tensor> heat, wh, offset;
  for (std::int64_t i = 0; i < count; ++i) {
    const HeadOutputs one{answer.heads.heat.narrow(0, i, 1), answer.heads.wh.narrow(0, i, 1),
                          answer.heads.offset.narrow(0, i, 1)};
    const HeadOutputs moved = resample(one, grid, rows, columns);
    heat.push_back(moved.heat);
    wh.push_back(moved.wh);
    offset.push_back(moved.offset);
  }
  return {at::cat(heat), at::cat(wh), at::cat(offset)};
}

}  // namespace conclave
