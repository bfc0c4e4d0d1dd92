// Milliseconds that the losses of one batch take, forward and backward: what supervision costs beside the network.
//
//   bench_fusion_losses [steps=200] [batch=8] [width=64] [height=48] [classes=3] [threads=2]
//
// One line per case: its name, the median over the steps of the loss alone and of the loss with its backward pass.
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "fusion/fuse.h"

namespace {

using namespace conclave;

constexpr int kWarmUp = 20;

using Numbers = std::map<std::string, int>;

bool parse(int count, char** arguments, Numbers& numbers) {
  for (int i = 1; i < count; ++i) {
    const std::string text = arguments[i];
    const auto equals = text.find('=');
    if (equals == std::string::npos || !numbers.contains(text.substr(0, equals))) {
      std::fprintf(stderr, "unknown argument: %s\n", text.c_str());
      return false;
    }
    numbers[text.substr(0, equals)] = std::stoi(text.substr(equals + 1));
  }
  return true;
}

// A batch in which every class has a teacher of its own and a few boxes per view.
struct Scene {
  explicit Scene(const Numbers& n)
      : batch(n.at("batch")), classes(n.at("classes")), height(n.at("height")), width(n.at("width")) {
    std::vector<ClassSource> row;
    for (int c = 0; c < classes; ++c) {
      teachers.push_back({std::to_string(c), {c}});
      ClassSource source;
      source.labels = true;
      source.teachers = {c};
      row.push_back(source);
    }
    targets = make_masks({row}, std::vector<int>(static_cast<std::size_t>(batch), 0), teachers.size());
    for (int c = 0; c < classes; ++c) targets.teachers.push_back(answer());
    std::vector<std::vector<LabelBox>> boxes(static_cast<std::size_t>(batch));
    const auto side = static_cast<float>(4 * std::min(height, width));
    for (auto& view : boxes) {
      for (int i = 0; i < 12; ++i) {
        const float at = side * static_cast<float>(i + 1) / 16;
        view.push_back({{at - 10, at - 12, at + 10, at + 12}, i % classes});
      }
    }
    targets.labels = make_ground_truth(boxes, classes, height, width, 0.3);
    student = {at::randn({batch, classes, height, width}) - 2, at::rand({batch, 2, height, width}) * 5,
               at::rand({batch, 2, height, width})};
  }

  // 8 % of the cells above 0.1, as a teacher of blood cells has.
  DenseTargets answer() const {
    const HeadOutputs heads{at::randn({batch, 1, height, width}) * 1.5 - 4.3, at::rand({batch, 2, height, width}) * 5,
                            at::rand({batch, 2, height, width})};
    std::vector<SoftTargets> views;
    for (int b = 0; b < batch; ++b) views.push_back(sparsify(heads, b, {}));
    std::vector<const SoftTargets*> pointers;
    for (const auto& view : views) pointers.push_back(&view);
    return densify(pointers);
  }

  int batch, classes, height, width;
  std::vector<TeacherChannels> teachers;
  BatchTargets targets;
  HeadOutputs student;
};

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

void measure(const std::string& name, const Scene& scene, const FusionOptions& options, int steps) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> forward, both;
  for (int i = 0; i < steps + kWarmUp; ++i) {
    const HeadOutputs heads{scene.student.heat.detach().requires_grad_(true),
                            scene.student.wh.detach().requires_grad_(true),
                            scene.student.offset.detach().requires_grad_(true)};
    const auto start = Clock::now();
    const Losses losses = fuse(heads, scene.targets, scene.teachers, options);
    const auto middle = Clock::now();
    losses.total.backward();
    const auto end = Clock::now();
    if (i < kWarmUp) continue;
    forward.push_back(std::chrono::duration<double, std::milli>(middle - start).count());
    both.push_back(std::chrono::duration<double, std::milli>(end - start).count());
  }
  std::printf("%-24s %7.3f %7.3f ms\n", name.c_str(), median(forward), median(both));
}

}  // namespace

int main(int count, char** arguments) {
  Numbers numbers = {{"steps", 200}, {"batch", 8}, {"width", 64}, {"height", 48}, {"classes", 3}, {"threads", 2}};
  if (!parse(count, arguments, numbers)) return 2;
  at::set_num_threads(numbers["threads"]);
  torch::manual_seed(0);
  const Scene scene(numbers);
  const auto with = [](const std::function<void(FusionOptions&)>& change) {
    FusionOptions options;
    change(options);
    return options;
  };
  const std::vector<std::pair<std::string, FusionOptions>> cases = {
      {"labels", with([](auto& o) { o.method = Method::kLabels; })},
      {"kd qfl", {}},
      {"kd relu", with([](auto& o) { o.loss = DistillLoss::kRelu; })},
      {"kd prob_peaks", with([](auto& o) { o.loss = DistillLoss::kProbPeaks; })},
      {"kd bce", with([](auto& o) { o.loss = DistillLoss::kBce; })},
      {"kd_labels qfl", with([](auto& o) { o.method = Method::kKdLabels; })},
  };
  for (const auto& [name, options] : cases) measure(name, scene, options, numbers["steps"]);
}
