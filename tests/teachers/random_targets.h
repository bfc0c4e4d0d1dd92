#pragma once

#include "core/half.h"
#include "core/random.h"
#include "fusion/soft_targets.h"

namespace conclave {

// Targets whose cells are kept with probability `density`.
inline SoftTargets random_targets(std::uint64_t seed, int height, int width, int channels, double density) {
  CounterRandom random(seed);
  SoftTargets targets;
  targets.height = height;
  targets.width = width;
  targets.channels.resize(static_cast<std::size_t>(channels));
  const auto cells = static_cast<std::uint32_t>(height * width);
  for (SoftTargets::Channel& channel : targets.channels) {
    for (std::uint32_t cell = 0; cell < cells; ++cell) {
      if (!random.chance(density)) continue;
      channel.cells.push_back(cell);
      channel.logits.push_back(half_from_float(static_cast<float>(random.uniform(-3, 5))));
    }
  }
  for (std::uint32_t cell = 0; cell < cells; ++cell) {
    if (!random.chance(density)) continue;
    targets.box_cells.push_back(cell);
    auto& box = targets.boxes.emplace_back();
    for (std::uint16_t& value : box) value = half_from_float(static_cast<float>(random.uniform(0, 40)));
  }
  return targets;
}

}  // namespace conclave
