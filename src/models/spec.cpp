#include "models/spec.h"

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "core/error.h"
#include "models/zoo.h"

namespace conclave {
namespace {

constexpr const char* kFormat = "conclave.detector/1";
constexpr const char* kPerClass = "per_class";
constexpr int kLargestSide = 16384;

using Metadata = std::map<std::string, std::string>;

template <class Numbers>
std::string join(const Numbers& numbers) {
  std::string text;
  for (const auto number : numbers) {
    char digits[32];
    const auto end =
        std::to_chars(std::begin(digits), std::end(digits), number).ptr;  // shortest that reads back the same
    if (!text.empty()) text += ',';
    text.append(digits, end);
  }
  return text;
}

// Reads entries one by one; every failure names the entry and the file.
class Reader {
 public:
  Reader(const Metadata& metadata, const std::string& where) : metadata_(metadata), where_(where) {}

  const std::string& text(const std::string& key) const {
    const auto found = metadata_.find(key);
    if (found == metadata_.end()) throw Error("the metadata lacks '" + key + "'", where_);
    return found->second;
  }

  template <class Number, std::size_t N>
  std::array<Number, N> numbers(const std::string& key) const {
    const std::string& all = text(key);
    std::array<Number, N> values{};
    const char* at = all.data();
    const char* const end = all.data() + all.size();
    for (std::size_t i = 0; i < N; ++i) {
      const auto [next, problem] = std::from_chars(at, end, values[i]);
      const bool last = i + 1 == N;
      if (problem != std::errc() || (last ? next != end : next == end || *next != ',')) bad(key);
      at = next + 1;
    }
    return values;
  }

  int number(const std::string& key) const { return numbers<int, 1>(key)[0]; }

  bool truth(const std::string& key) const {
    const std::string& value = text(key);
    if (value != "true" && value != "false") bad(key);
    return value == "true";
  }

  std::vector<std::string> names(const std::string& key) const {
    const nlohmann::json list = nlohmann::json::parse(text(key), nullptr, false);
    if (!list.is_array() || list.empty()) bad(key);
    std::vector<std::string> names;
    std::set<std::string> seen;
    for (const nlohmann::json& entry : list) {
      if (!entry.is_string() || !seen.insert(entry.get<std::string>()).second) bad(key);
      names.push_back(entry.get<std::string>());
    }
    return names;
  }

  [[noreturn]] void bad(const std::string& key) const {
    throw Error("the metadata entry '" + key + "' is not valid: " + text(key).substr(0, 80), where_);
  }

 private:
  const Metadata& metadata_;
  const std::string& where_;
};

}  // namespace

Metadata to_metadata(const ModelSpec& spec) {
  const Architecture& a = spec.architecture;
  Metadata metadata = {
      {"format", kFormat},
      {"backbone", a.backbone},
      {"width", std::to_string(a.width)},
      {"neck", a.neck},
      {"neck_channels", join(a.neck_channels)},
      {"skip", a.skip ? "true" : "false"},
      {"head_channels", std::to_string(a.head_channels)},
      {"classes", nlohmann::json(spec.classes).dump()},
      {"input_size", join(std::array{spec.width, spec.height})},
      {"mean", join(spec.mean)},
      {"std", join(spec.std)},
  };
  if (a.wh_per_class) metadata["wh"] = kPerClass;  // left out: shared
  return metadata;
}

ModelSpec from_metadata(const Metadata& metadata, const std::string& where) {
  const auto format = metadata.find("format");
  if (format == metadata.end() || format->second != kFormat) {
    throw Error(std::string("not a detector's weights: the metadata entry 'format' is ") +
                    (format == metadata.end() ? "missing" : "'" + format->second.substr(0, 80) + "'"),
                where, std::string("it must be '") + kFormat + "', as train and distill write it");
  }
  const Reader reader(metadata, where);
  ModelSpec spec;
  spec.architecture.backbone = reader.text("backbone");
  spec.architecture.width = reader.number("width");
  spec.architecture.neck = reader.text("neck");
  spec.architecture.neck_channels = reader.numbers<int, 3>("neck_channels");
  spec.architecture.skip = reader.truth("skip");
  spec.architecture.head_channels = reader.number("head_channels");
  if (metadata.contains("wh")) {
    if (reader.text("wh") != kPerClass) reader.bad("wh");
    spec.architecture.wh_per_class = true;
  }
  check_architecture(spec.architecture, where);
  spec.classes = reader.names("classes");
  const auto size = reader.numbers<int, 2>("input_size");
  for (const int side : size) {
    if (side < 32 || side > kLargestSide || side % 32 != 0) reader.bad("input_size");
  }
  spec.width = size[0];
  spec.height = size[1];
  spec.mean = reader.numbers<float, 3>("mean");
  spec.std = reader.numbers<float, 3>("std");
  for (const float value : spec.mean) {
    if (!std::isfinite(value)) reader.bad("mean");
  }
  for (const float value : spec.std) {
    if (!std::isfinite(value) || value <= 0) reader.bad("std");
  }
  return spec;
}

}  // namespace conclave
