#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace conclave {

// What one teacher says about one view, sparse. Numbers are kept as IEEE half floats, exactly as they travel and are
// stored: a local teacher and a remote one give the same bits.
struct SoftTargets {
  int height = 0, width = 0;  // of the output grid, cells

  struct Channel {
    std::vector<std::uint32_t> cells;   // y * width + x, strictly rising
    std::vector<std::uint16_t> logits;  // half; as many as cells
    bool operator==(const Channel&) const = default;
  };
  std::vector<Channel> channels;  // the teacher's classes, in its order

  std::vector<std::uint32_t> box_cells;             // strictly rising; where the teacher's wh and offset are of use
  std::vector<std::array<std::uint16_t, 4>> boxes;  // half: w, h, dx, dy in cells; as many as box_cells

  bool operator==(const SoftTargets&) const = default;
};

// Which cells carry wh and offset.
enum class BoxRule : std::uint8_t {
  kAbove = 0,  // any channel's probability > box_floor (losses weighted by how far a logit is above it)
  kPeaks = 1,  // any channel has a 3x3 peak above the floor (prob_peaks)
};

// What is kept. The error this makes: a dropped cell counts as probability 0, so heat is off by at most `floor` there.
// Both rules look at the logit as it travels, rounded to half, so that sender and receiver agree on every cell.
struct SparseOptions {
  float floor =
      0.05f;  // probability; a cell is kept when sigmoid(z) > floor; 0.5 keeps z > 0 alone; 0 keeps everything
  BoxRule boxes = BoxRule::kAbove;
  float box_floor = 0.2f;  // probability, at least floor; not used by kPeaks
  bool operator==(const SparseOptions&) const = default;
};

}  // namespace conclave
