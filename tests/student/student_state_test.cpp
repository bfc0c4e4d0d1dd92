#include "student/student_state.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "ranks/sync_batch_norm.h"
#include "student/tiny_run.h"
#include "support/rank_processes.h"
#include "support/target_parts.h"

namespace conclave {
namespace {

constexpr int kViews = 4, kClasses = 2, kCells = 16;

// A step in double precision, where rounding can't hide a wrong normaliser, a missing sum or a term of a backward pass.
struct Step {
  FusionOptions options;
  std::vector<TeacherChannels> teachers = {{"red", {0}, 1.0}, {"blue", {1}, 1.0}};
  at::Tensor images;
  std::vector<std::vector<LabelBox>> boxes;
  BatchTargets whole;

  explicit Step(const FusionOptions& given) : options(given) {
    torch::manual_seed(17);
    images = torch::randn({kViews, 3, 4 * kCells, 4 * kCells}, at::kDouble);
    boxes = {{{{4, 4, 20, 24}, 0}, {{30, 30, 50, 60}, 1}}, {}, {{{8, 20, 30, 40}, 0}}, {{{2, 2, 60, 60}, 0}}};
    whole.label_mask = at::tensor({1., 1., 1., 0., 1., 0., 1., 1.}, at::kDouble).view({kViews, kClasses});
    for (int t = 0; t < 2; ++t) {
      const at::Tensor heat = torch::randn({kViews, 1, kCells, kCells}, at::kDouble) * 2 - 2;
      const at::Tensor kept = (heat > 0).flatten().nonzero().squeeze(1);
      whole.teachers.push_back(
          {heat, kept, torch::rand({kept.size(0), 2}, at::kDouble) * 8, torch::rand({kept.size(0), 2}, at::kDouble)});
      at::Tensor mask = at::zeros({kViews, kClasses}, at::kDouble);
      mask.select(1, t).fill_(1);
      mask[1][t].fill_(t);
      whole.teacher_mask.push_back(mask);
    }
  }

  // Views [first, first + count) of the batch.
  BatchTargets part(std::int64_t first, std::int64_t count) const {
    BatchTargets part;
    part.labels = make_ground_truth({boxes.begin() + first, boxes.begin() + first + count}, kClasses, kCells, kCells,
                                    options.min_overlap);
    part.label_mask = whole.label_mask.narrow(0, first, count);
    for (const DenseTargets& t : whole.teachers) part.teachers.push_back(part_of(t, first, count));
    for (const at::Tensor& mask : whole.teacher_mask) part.teacher_mask.push_back(mask.narrow(0, first, count));
    return part;
  }

  // Loss and gradients of these views; those of the whole batch where the ranks hold its parts.
  double run(Detector& model, ProcessGroup& ranks, std::int64_t first, std::int64_t count) const {
    GradientReducer reducer(ranks, {}, model.parameters());
    reducer.before_forward();
    const HeadOutputs heads = model.forward(images.narrow(0, first, count));
    const Losses losses = fuse(heads, part(first, count), teachers, options,
                               [&](const std::vector<at::Tensor>& counts) { ranks.sum(counts); });
    reducer.backward(losses.total);
    const at::Tensor loss = losses.total.detach().clone();
    ranks.sum({loss});
    return loss.item<double>();
  }
};

std::shared_ptr<Detector> double_model(const RunOptions& options) {
  const auto model = make_detector(spec_of(options), 3);
  model->to(at::kDouble);
  model->train();
  return model;
}

TEST(StudentState, TwoRanksHaveTheLossAndGradientsOfTheWholeBatchForEveryLoss) {
  in_ranks(2, [](ProcessGroup& ranks) {
    const TinyRun tiny;
    const RunOptions options = tiny.options("unused");
    std::vector<FusionOptions> all;
    const auto add = [&](Method method, DistillLoss loss, bool per_class) {
      FusionOptions fusion;
      fusion.method = method;
      fusion.loss = loss;
      fusion.per_class = per_class;
      all.push_back(fusion);
    };
    for (const DistillLoss loss : {DistillLoss::kQfl, DistillLoss::kRelu, DistillLoss::kProbPeaks, DistillLoss::kBce}) {
      add(Method::kKd, loss, true);
    }
    for (const bool per_class : {true, false}) add(Method::kLabels, DistillLoss::kQfl, per_class);
    add(Method::kKdLabels, DistillLoss::kQfl, true);
    for (const FusionOptions& fusion : all) {
      const Step step(fusion);
      const auto own = double_model(options), whole = double_model(options);
      synchronise_norms(*own, ranks);
      ProcessGroup alone;
      const double mine = step.run(*own, ranks, 2 * ranks.rank(), 2);
      const double expected = step.run(*whole, alone, 0, kViews);
      const std::string name = std::to_string(static_cast<int>(fusion.method)) + "/" +
                               std::to_string(static_cast<int>(fusion.loss)) + "/" + std::to_string(fusion.per_class) +
                               " ";
      EXPECT_NEAR(mine, expected, 1e-9 * expected) << name;
      const auto parameters = own->named_parameters(), others = whole->named_parameters();
      for (const auto& item : parameters) {
        const at::Tensor& gradient = others[item.key()].grad();
        const double scale = std::max(1e-6, gradient.abs().max().item<double>());
        EXPECT_LT((item.value().grad() - gradient).abs().max().item<double>(), 1e-7 * scale) << name << item.key();
      }
      const auto buffers = own->named_buffers(), theirs = whole->named_buffers();
      for (const auto& item : buffers) {
        EXPECT_TRUE(at::allclose(item.value(), theirs[item.key()], 1e-9, 1e-12)) << name << item.key();
      }
    }
  });
}

TEST(StudentState, KeepsTheStatisticsOfNormalisationWhenAsked) {
  const TinyRun tiny;
  RunOptions options = tiny.options("unused");
  options.training.norm_eval = true;
  ProcessGroup alone;
  StudentState student(options, at::kCPU, alone);
  const TensorMap before = student.shipped();
  const HeadOutputs heads = student.model().forward(torch::randn({2, 3, 64, 64}));
  student.backward(heads.heat.square().sum());
  student.update(1e-3, 0);
  const TensorMap after = student.shipped();
  EXPECT_TRUE(at::equal(before.at("backbone.bn1.running_mean"), after.at("backbone.bn1.running_mean")));
  EXPECT_TRUE(at::equal(before.at("backbone.bn1.running_var"), after.at("backbone.bn1.running_var")));
  EXPECT_FALSE(at::equal(before.at("backbone.bn1.weight"), after.at("backbone.bn1.weight"))) << "it still learns";
}

}  // namespace
}  // namespace conclave
