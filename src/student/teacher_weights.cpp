#include "student/teacher_weights.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/log.h"
#include "student/evaluate.h"
#include "teachers/engine.h"

namespace conclave {
namespace {

constexpr double kStep = 1e-4;  // weights don't hang on the last bits of a forward pass

// Sets this thread's intra-op threads, which an engine changes, back.
struct ThreadsRestored {
  const int before = at::get_num_threads();
  ~ThreadsRestored() { at::set_num_threads(before); }
};

// Do teachers' weights decide anything?
bool weighs(const FusionOptions& fusion) {
  if (fusion.method == Method::kPseudo) return fusion.pseudo.merge == PseudoMerge::kWbf;
  return distils(fusion.method) && fusion.merge == Merge::kWeighted;
}

void check_measurable(const TeacherOptions& teacher, const TeacherChannels& channels, const RunOptions& options,
                      const std::optional<Dataset>& val) {
  const auto fail = [&](const std::string& what) {
    throw Error(what + ", and its weight is auto: its AP there", "teacher " + teacher.name,
                "give teachers.weight as a number", Exit::kUsage);
  };
  if (!val) fail("there is no data.val");
  if (teacher.weights.empty()) fail("its weights file is not known here");
  for (const int cls : channels.student_class) {
    if (cls < 0) continue;
    const std::string& name = options.classes.at(static_cast<std::size_t>(cls));
    if (!val->labelled.at(static_cast<std::size_t>(cls))) fail("data.val does not label " + name);
    if (!shows(*val, cls)) fail("data.val shows no " + name);
  }
}

// A mean of several needs a weight above 0.
void check_sums(const RunOptions& options, const std::vector<TeacherChannels>& teachers) {
  for (std::size_t c = 0; c < options.classes.size(); ++c) {
    int serving = 0;
    double sum = 0;
    for (std::size_t t = 0; t < teachers.size(); ++t) {
      const std::vector<int>& classes = teachers[t].student_class;
      if (std::find(classes.begin(), classes.end(), static_cast<int>(c)) == classes.end()) continue;
      ++serving;
      const bool measured = t < options.teachers.size() && !options.teachers[t].weight;  // above 0
      sum += measured ? 1 : teachers[t].weight;
    }
    if (serving > 1 && sum <= 0) {
      throw Error("the weights of its teachers sum to 0", "class '" + options.classes[c] + "'",
                  "give one of them a teachers.weight above 0, or auto", Exit::kUsage);
    }
  }
}

std::vector<double> channel_weights(const TeacherOptions& teacher, const TeacherChannels& channels,
                                    const RunOptions& options, const Dataset& val) {
  const ThreadsRestored threads;
  Engine engine(teacher.file(), teacher.engine);
  EvaluateOptions evaluate;
  evaluate.batch = options.training.eval_batch;
  evaluate.loader_threads = options.training.loader_threads;
  auto detections = detect(
      [&](const at::Tensor& pixels) {
        return NetworkAnswer{engine.run(pixels), std::nullopt};
      },
      val, options.views, evaluate);
  std::vector<bool> served(options.classes.size(), false);
  for (const int cls : channels.student_class) {
    if (cls >= 0) served[static_cast<std::size_t>(cls)] = true;
  }
  for (std::vector<Detection>& image : detections) {
    for (Detection& detection : image) {
      detection.cls = channels.student_class.at(static_cast<std::size_t>(detection.cls));
    }
    std::erase_if(image, [](const Detection& detection) { return detection.cls < 0; });
  }
  const ApResult result = coco_ap(val, detections, served);
  std::vector<double> weights;
  for (const int cls : channels.student_class) {
    const double ap = cls < 0 ? 0 : result.per_class.at(static_cast<std::size_t>(cls)).ap;
    weights.push_back(cls < 0 ? 0 : std::max(kStep, std::round(ap / kStep) * kStep));
  }
  return weights;
}

}  // namespace

void check_weights(const RunOptions& options, const std::optional<Dataset>& val,
                   const std::vector<TeacherChannels>& teachers) {
  if (!weighs(options.fusion)) return;
  check_sums(options, teachers);
  for (std::size_t t = 0; t < std::min(teachers.size(), options.teachers.size()); ++t) {
    if (!options.teachers[t].weight) check_measurable(options.teachers[t], teachers[t], options, val);
  }
}

void weigh_by_ap(const RunOptions& options, const std::optional<Dataset>& val, std::vector<TeacherChannels>& teachers,
                 ProcessGroup& ranks) {
  if (!weighs(options.fusion)) return;
  for (std::size_t t = 0; t < std::min(teachers.size(), options.teachers.size()); ++t) {
    const TeacherOptions& teacher = options.teachers[t];
    if (teacher.weight) continue;
    std::string measured;
    ranks.together([&] {
      if (ranks.writes()) measured = nlohmann::json(channel_weights(teacher, teachers[t], options, *val)).dump();
    });
    teachers[t].channel_weight = nlohmann::json::parse(ranks.broadcast(measured)).get<std::vector<double>>();
    for (std::size_t c = 0; c < teachers[t].channel_weight.size() && ranks.writes(); ++c) {
      const int cls = teachers[t].student_class[c];
      if (cls < 0) continue;
      log::info("{} weighs {:.4f} on {}: its AP on {}", teacher.name, teachers[t].channel_weight[c],
                options.classes[static_cast<std::size_t>(cls)], val->name);
    }
  }
}

}  // namespace conclave
