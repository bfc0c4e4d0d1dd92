#include "fusion/sparse.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "core/error.h"
#include "core/half.h"
#include "fusion/logit.h"

namespace conclave {
namespace {

constexpr float kLargestHalf = 65504.0f;
constexpr float kDropped = -std::numeric_limits<float>::infinity();

std::uint16_t to_half(float value) {
  return half_from_float(std::clamp(value, -kLargestHalf, kLargestHalf));
}

// One image of a head as contiguous CPU floats.
at::Tensor image_of(const at::Tensor& head, int b, const char* name) {
  if (head.dim() != 4 || b < 0 || b >= head.size(0)) {
    throw Error(std::string("the teacher's ") + name + " head has no image " + std::to_string(b));
  }
  return head.detach().select(0, b).to(at::kCPU, at::kFloat).contiguous();
}

void require_finite(const at::Tensor& values, const char* name) {
  const float* data = values.const_data_ptr<float>();
  std::uint32_t bad = 0;
  for (std::int64_t i = 0, n = values.numel(); i < n; ++i) {
    bad |= static_cast<std::uint32_t>((std::bit_cast<std::uint32_t>(data[i]) & 0x7f800000u) == 0x7f800000u);
  }
  if (bad != 0) throw Error(std::string("the teacher's ") + name + " head is not finite");
}

// The cells whose rounded logit lies above `threshold`, and those logits over the whole grid (kDropped elsewhere).
SoftTargets::Channel keep_cells(const float* logits, std::int64_t cells, float threshold, std::vector<float>& kept) {
  SoftTargets::Channel channel;
  kept.assign(static_cast<std::size_t>(cells), kDropped);
  for (std::int64_t i = 0; i < cells; ++i) {
    // Rounding to half moves a value across the threshold by less than this margin.
    if (!(logits[i] > threshold - 1e-3f * std::abs(threshold))) continue;
    const std::uint16_t half = to_half(logits[i]);
    const float rounded = float_from_half(half);
    if (!(rounded > threshold)) continue;
    channel.cells.push_back(static_cast<std::uint32_t>(i));
    channel.logits.push_back(half);
    kept[static_cast<std::size_t>(i)] = rounded;
  }
  return channel;
}

bool is_peak(const std::vector<float>& kept, int height, int width, std::uint32_t cell) {
  const int y = static_cast<int>(cell) / width, x = static_cast<int>(cell) % width;
  for (int v = std::max(0, y - 1); v <= std::min(height - 1, y + 1); ++v) {
    for (int u = std::max(0, x - 1); u <= std::min(width - 1, x + 1); ++u) {
      if (kept[static_cast<std::size_t>(v) * static_cast<std::size_t>(width) + static_cast<std::size_t>(u)] >
          kept[cell]) {
        return false;
      }
    }
  }
  return true;
}

// One pair per cell, (…,2,H,W): where wh (…,2C,H,W) has one per class, that of the class with the largest logit.
at::Tensor wh_of_strongest(const at::Tensor& heat, const at::Tensor& wh) {
  if (wh.size(-3) == 2 || wh.size(-3) != 2 * heat.size(-3)) return wh;
  const at::Tensor strongest = heat.argmax(-3, /*keepdim=*/true).unsqueeze(-3);  // (…,1,1,H,W)
  at::Tensor pairs = wh.unflatten(-3, {heat.size(-3), 2});                       // (…,C,2,H,W)
  return at::take_along_dim(pairs, strongest, -4).squeeze(-4).contiguous();
}

void require(bool ok, const char* what) {
  if (!ok) throw Error(std::string("soft targets: ") + what);
}

}  // namespace

SoftTargets sparsify(const HeadOutputs& heads, int b, const SparseOptions& options) {
  for (const float floor : {options.floor, options.box_floor}) {
    if (!(floor >= 0 && floor < 1)) throw Error("a floor of soft targets is not in [0,1)");
  }
  const at::Tensor heat = image_of(heads.heat, b, "heat");
  const at::Tensor every_wh = image_of(heads.wh, b, "wh");
  const at::Tensor offset = image_of(heads.offset, b, "offset");
  require_finite(heat, "heat");
  require_finite(every_wh, "wh");
  require_finite(offset, "offset");

  SoftTargets targets;
  targets.height = static_cast<int>(heat.size(1));
  targets.width = static_cast<int>(heat.size(2));
  const std::int64_t cells = heat.size(1) * heat.size(2);
  const at::Tensor wh = wh_of_strongest(heat, every_wh);
  require(wh.numel() == 2 * cells && offset.numel() == 2 * cells, "the heads differ in size");

  const auto threshold = static_cast<float>(logit(options.floor));
  const auto box_threshold = static_cast<float>(logit(options.box_floor));
  std::vector<char> has_box(static_cast<std::size_t>(cells), 0);
  std::vector<float> kept;
  for (std::int64_t c = 0; c < heat.size(0); ++c) {
    auto channel = keep_cells(heat.const_data_ptr<float>() + c * cells, cells, threshold, kept);
    for (const std::uint32_t cell : channel.cells) {
      const bool wanted = options.boxes == BoxRule::kAbove ? kept[cell] > box_threshold
                                                           : is_peak(kept, targets.height, targets.width, cell);
      if (wanted) has_box[cell] = 1;
    }
    targets.channels.push_back(std::move(channel));
  }

  const float* size = wh.const_data_ptr<float>();
  const float* shift = offset.const_data_ptr<float>();
  for (std::int64_t i = 0; i < cells; ++i) {
    if (has_box[static_cast<std::size_t>(i)] == 0) continue;
    targets.box_cells.push_back(static_cast<std::uint32_t>(i));
    targets.boxes.push_back({to_half(size[i]), to_half(size[cells + i]), to_half(shift[i]), to_half(shift[cells + i])});
  }
  return targets;
}

DenseTargets densify(const std::vector<const SoftTargets*>& views) {
  require(!views.empty(), "no view");
  const SoftTargets& first = *views.front();
  const std::int64_t batch = static_cast<std::int64_t>(views.size());
  const std::int64_t channels = static_cast<std::int64_t>(first.channels.size());
  const std::int64_t height = first.height, width = first.width, cells = height * width;
  std::int64_t boxes = 0;
  for (const SoftTargets* view : views) boxes += static_cast<std::int64_t>(view->boxes.size());

  DenseTargets dense;
  dense.heat = at::full({batch, channels, height, width}, kDropped, at::kFloat);
  dense.index = at::empty({boxes}, at::kLong);
  dense.wh = at::empty({boxes, 2}, at::kFloat);
  dense.offset = at::empty({boxes, 2}, at::kFloat);
  float* heat = dense.heat.data_ptr<float>();
  auto* index = dense.index.data_ptr<std::int64_t>();
  float* wh = dense.wh.data_ptr<float>();
  float* offset = dense.offset.data_ptr<float>();
  std::int64_t origin = 0;  // of the view's cells
  for (const SoftTargets* view : views) {
    require(view->height == first.height && view->width == first.width, "views of different grids in one batch");
    require(view->channels.size() == first.channels.size(), "views of different channel counts in one batch");
    for (const auto& channel : view->channels) {
      require(channel.cells.size() == channel.logits.size(), "not one logit per cell");
      for (std::size_t i = 0; i < channel.cells.size(); ++i) {
        require(channel.cells[i] < cells, "a cell outside the grid");
        heat[channel.cells[i]] = float_from_half(channel.logits[i]);
      }
      heat += cells;
    }
    require(view->box_cells.size() == view->boxes.size(), "not one box per box cell");
    for (std::size_t i = 0; i < view->box_cells.size(); ++i) {
      require(view->box_cells[i] < cells, "a box outside the grid");
      *index++ = origin + view->box_cells[i];
      *wh++ = float_from_half(view->boxes[i][0]);
      *wh++ = float_from_half(view->boxes[i][1]);
      *offset++ = float_from_half(view->boxes[i][2]);
      *offset++ = float_from_half(view->boxes[i][3]);
    }
    origin += cells;
  }
  return dense;
}

DenseTargets dense_targets(const HeadOutputs& heads) {
  const auto listed = [](const at::Tensor& head) { return head.permute({0, 2, 3, 1}).reshape({-1, 2}).contiguous(); };
  DenseTargets dense;
  dense.heat = heads.heat.detach().to(at::kFloat);
  dense.wh = listed(wh_of_strongest(dense.heat, heads.wh.detach().to(at::kFloat)));
  dense.offset = listed(heads.offset.detach().to(at::kFloat));
  dense.index = at::arange(dense.wh.size(0), dense.heat.options().dtype(at::kLong));
  return dense;
}

HeadOutputs as_heads(const DenseTargets& targets) {
  const std::int64_t batch = targets.heat.size(0), height = targets.heat.size(2), width = targets.heat.size(3);
  const auto placed = [&](const at::Tensor& listed) {
    const at::Tensor cells = at::zeros({batch * height * width, 2}, listed.options());
    return cells.index_copy(0, targets.index, listed)
        .view({batch, height, width, 2})
        .permute({0, 3, 1, 2})
        .contiguous();
  };
  return {targets.heat, placed(targets.wh), placed(targets.offset)};
}

}  // namespace conclave
