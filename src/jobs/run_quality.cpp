#include "jobs/run_quality.h"

#include "jobs/json_fields.h"

namespace conclave {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

ClassQuality read_class(const JsonFields& f) {
  ClassQuality quality;
  quality.objects = f.integer("objects", 0);
  if (const auto curve = f.object("curve")) quality.precision = curve->numbers("precision");
  if (const auto t = f.object("threshold")) {
    const JsonFields::Json* found = t->find("found");
    quality.threshold =
        ThresholdQuality{t->number("score", kNaN), t->number("precision", kNaN), t->number("recall", kNaN),
                         t->number("f1", kNaN), found != nullptr && found->is_boolean() && found->get<bool>()};
  }
  if (const auto calibration = f.object("calibration")) {
    for (const JsonFields& bin : calibration->objects("bins")) {
      quality.bins.push_back({bin.number("score", kNaN), bin.number("precision", kNaN), bin.integer("count", 0)});
    }
    quality.calibration_error = calibration->number("error", kNaN);
  }
  return quality;
}

DetectorQuality read_detector(const JsonFields& f) {
  DetectorQuality detector;
  detector.name = f.text("name");
  if (const auto classes = f.object("per_class")) {
    for (const std::string& name : classes->keys()) {
      if (const auto one = classes->object(name)) detector.per_class[name] = read_class(*one);
    }
  }
  for (const JsonFields& image : f.objects("images")) {
    detector.image_f1[image.integer("id", 0)] = image.number("f1", kNaN);
  }
  return detector;
}

}  // namespace

std::optional<RunQuality> read_run_quality(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "quality.json";
  if (!std::filesystem::exists(path)) return std::nullopt;
  const JsonFields::Json json = parse_json_file(path);
  const JsonFields f(json, path.string());
  RunQuality quality{f.text("set"), f.text("thresholds_from"), {}};
  for (const JsonFields& detector : f.objects("detectors")) quality.detectors.push_back(read_detector(detector));
  return quality;
}

}  // namespace conclave
