#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "models/backbone.h"
#include "models/neck.h"
#include "models/spec.h"

namespace conclave {

// Everything that a detector can be made of. To add a part: write it, add its row in zoo.cpp.
struct BackboneEntry {
  std::string name;
  std::shared_ptr<Backbone> (*make)(int width);
  // Its parameters are at least this many times width^2: what a weights file must hold before memory is taken for it.
  int parameters_per_width2;
};

struct NeckEntry {
  std::string name;
  std::shared_ptr<Neck> (*make)(const std::vector<Features>& inputs, const std::array<int, 3>& channels, bool skip);
};

const std::vector<BackboneEntry>& backbones();
const std::vector<NeckEntry>& necks();

// Throw Error that lists the known names.
const BackboneEntry& find_backbone(const std::string& name);
const NeckEntry& find_neck(const std::string& name);

// Throws Error (where = `where`) for an unknown part, or sizes that are not positive or beyond reason.
void check_architecture(const Architecture& architecture, const std::string& where = {});

// "resnet18, width 16, neck deconv 64-48-32, skip, head 32".
std::string describe(const Architecture& architecture);

}  // namespace conclave
