#include "models/zoo.h"

#include "core/error.h"
#include "models/deconv_neck.h"
#include "models/resnet.h"

namespace conclave {
namespace {

constexpr int kLargestWidth = 1024;
constexpr int kMostChannels = 8192;

template <class Entry>
const Entry& find(const std::vector<Entry>& table, const std::string& name, const char* kind) {
  std::string known;
  for (const Entry& entry : table) {
    if (entry.name == name) return entry;
    if (!known.empty()) known += ", ";
    known += entry.name;
  }
  throw Error(std::string("unknown ") + kind + " '" + name + "'", {}, "known: " + known);
}

}  // namespace

const std::vector<BackboneEntry>& backbones() {
  static const std::vector<BackboneEntry> table = {
      {"resnet18", make_resnet18, 2700},
      {"resnet34", make_resnet34, 5100},
      {"resnet50", make_resnet50, 5700},
  };
  return table;
}

const std::vector<NeckEntry>& necks() {
  static const std::vector<NeckEntry> table = {
      {"deconv", make_deconv_neck},
      {"deconv_dcn", make_deformable_neck},
      {"deconv_bare", make_bare_neck},
  };
  return table;
}

const BackboneEntry& find_backbone(const std::string& name) {
  return find(backbones(), name, "backbone");
}
const NeckEntry& find_neck(const std::string& name) {
  return find(necks(), name, "neck");
}

void check_architecture(const Architecture& architecture, const std::string& where) {
  try {
    find_backbone(architecture.backbone);
    find_neck(architecture.neck);
  } catch (const Error& error) {
    if (where.empty()) throw;
    throw Error(error.what(), where);
  }
  const auto require = [&](const char* name, int value, int most) {
    if (value >= 1 && value <= most) return;
    throw Error(std::string(name) + " is " + std::to_string(value) + "; it must be 1 to " + std::to_string(most),
                where);
  };
  require("width", architecture.width, kLargestWidth);
  for (const int channels : architecture.neck_channels) require("neck_channels", channels, kMostChannels);
  require("head_channels", architecture.head_channels, kMostChannels);
}

std::string describe(const Architecture& architecture) {
  std::string text =
      architecture.backbone + ", width " + std::to_string(architecture.width) + ", neck " + architecture.neck;
  const char* separator = " ";
  for (const int channels : architecture.neck_channels) {
    text.append(separator).append(std::to_string(channels));
    separator = "-";
  }
  if (architecture.skip) text += ", skip";
  if (architecture.wh_per_class) text += ", wh per class";
  return text + ", head " + std::to_string(architecture.head_channels);
}

}  // namespace conclave
