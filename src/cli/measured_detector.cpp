#include "cli/measured_detector.h"

#include <ATen/Parallel.h>

#include <memory>
#include <numeric>

#include "models/weights.h"
#include "student/device.h"
#include "teachers/engine.h"

namespace conclave {

EvaluateOptions report_evaluation(const RunOptions& options) {
  EvaluateOptions evaluate;
  evaluate.batch = options.training.eval_batch;
  evaluate.loader_threads = options.training.loader_threads;
  evaluate.device = options.training.device;
  return evaluate;
}

RunNetwork student_network(const std::filesystem::path& weights, const RunOptions& options) {
  const EvaluateOptions evaluate = report_evaluation(options);
  std::shared_ptr<Detector> model = load_detector(weights).model;
  place(*model, device_of(evaluate.device), evaluate.channels_last);
  return [model, network = run_detector(*model, evaluate)](const at::Tensor& pixels) { return network(pixels); };
}

RunNetwork teacher_network(const TeacherOptions& teacher, const RunOptions& options) {
  EngineOptions plain;
  plain.threads = at::get_num_threads();
  if (type_of(teacher.weights) != TeacherFileType::kOnnx) plain.device = options.training.device;
  auto engine = std::make_shared<Engine>(teacher.file(), plain);
  return [engine](const at::Tensor& pixels) { return NetworkAnswer{engine->run(pixels), std::nullopt}; };
}

MeasuredDetector measure_detector(const std::string& name, const RunNetwork& network,
                                  const std::vector<int>& student_class, const Dataset& set,
                                  const RunOptions& options) {
  MeasuredDetector measured;
  measured.name = name;
  measured.judged.assign(options.classes.size(), false);
  for (const int cls : student_class) {
    if (cls >= 0) measured.judged[static_cast<std::size_t>(cls)] = set.labelled[static_cast<std::size_t>(cls)];
  }
  measured.detections =
      in_student_classes(detect(network, set, options.views, report_evaluation(options)), student_class);
  measured.ap = coco_ap(set, measured.detections, measured.judged);
  return measured;
}

std::vector<int> own_channels(const RunOptions& options) {
  std::vector<int> channels(options.classes.size());
  std::iota(channels.begin(), channels.end(), 0);
  return channels;
}

std::vector<std::vector<Detection>> in_student_classes(const std::vector<std::vector<Detection>>& detections,
                                                       const std::vector<int>& student_class) {
  std::vector<std::vector<Detection>> mapped;
  for (const std::vector<Detection>& found : detections) {
    std::vector<Detection>& kept = mapped.emplace_back();
    for (Detection detection : found) {
      detection.cls = student_class.at(static_cast<std::size_t>(detection.cls));
      if (detection.cls >= 0) kept.push_back(detection);
    }
  }
  return mapped;
}

}  // namespace conclave
