#include "fusion/teacher_boxes.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>

#include "models/decode.h"

namespace conclave {
namespace {

constexpr int kViews = 2, kHeight = 3, kWidth = 4, kCells = kHeight * kWidth;

at::Tensor maps(std::int64_t channels, double mean = 0) {
  return at::randn({kViews, channels, kHeight, kWidth}) * 2 + mean;
}

// A teacher that sends a box in every other cell.
struct Teacher {
  DenseTargets dense;
  TeacherVoice voice;

  Teacher(std::vector<int> classes, std::int64_t first) {
    voice.classes = std::move(classes);
    voice.heat = maps(std::ssize(voice.classes));
    voice.mask = at::ones({kViews, std::ssize(voice.classes)});
    dense.heat = voice.heat;
    dense.index = at::arange(first, kViews * kCells, 2, at::kLong);
    dense.wh = at::rand({dense.index.size(0), 2});
    dense.offset = at::rand({dense.index.size(0), 2});
  }
};

// What the list should hold for box n of a teacher, said cell by cell. shares (B,K,H,W).
void expect_box(const TaughtBoxes& boxes, std::int64_t n, const Teacher& teacher, std::int64_t cell, int owner,
                const at::Tensor& shares, const at::Tensor& sure) {
  const std::int64_t b = cell / kCells, y = cell % kCells / kWidth, x = cell % kWidth;
  std::int64_t strongest = 0, surest = 0;
  const auto at = [&](const at::Tensor& map, std::int64_t k) { return map[b][k][y][x].item<float>(); };
  for (std::int64_t k = 1; k < teacher.voice.heat.size(1); ++k) {
    if (at(teacher.voice.heat, k) > at(teacher.voice.heat, strongest)) strongest = k;
    if (at(sure, k) > at(sure, surest)) surest = k;
  }
  EXPECT_EQ(boxes.index[n].item<std::int64_t>(), cell);
  EXPECT_EQ(boxes.owner[n].item<std::int64_t>(), owner);
  EXPECT_EQ(boxes.cls[n].item<std::int64_t>(), teacher.voice.classes[static_cast<std::size_t>(strongest)]);
  EXPECT_FLOAT_EQ(boxes.weight[n].item<float>(), at(sure, surest) * std::min(at(shares, surest), at(shares, strongest)))
      << "cell " << cell;
}

class TaughtBoxesOf : public ::testing::TestWithParam<DistillLoss> {};

TEST_P(TaughtBoxesOf, StandTeacherByTeacherWithTheWeightOfTheirClassViewAndCell) {
  torch::manual_seed(5);
  const Teacher two({0, 2}, 0), none({}, 0), one({2}, 1);
  // Of its first class it has a share that differs by view alone, of its second one that differs by cell too.
  const std::vector<std::vector<at::Tensor>> shares = {
      {at::tensor({1.f, 0.25f}).view({kViews, 1, 1, 1}), at::rand({kViews, 1, kHeight, kWidth})},
      {},
      {at::tensor({0.f, 0.5f}).view({kViews, 1, 1, 1})}};
  FusionOptions options;
  options.loss = GetParam();
  const TaughtBoxes boxes =
      list_boxes({two.dense, none.dense, one.dense}, {two.voice, none.voice, one.voice}, shares, options);
  ASSERT_EQ(boxes.index.size(0), kViews * kCells);
  EXPECT_TRUE(at::equal(boxes.wh, at::cat({two.dense.wh, one.dense.wh})));
  EXPECT_TRUE(at::equal(boxes.offset, at::cat({two.dense.offset, one.dense.offset})));
  const auto sure = [&](const Teacher& teacher) {
    return GetParam() == DistillLoss::kProbPeaks ? keep_peaks(at::sigmoid(teacher.voice.heat))
                                                 : at::relu(teacher.voice.heat + std::log(4.0));
  };
  const auto grid = [](const at::Tensor& share) { return share.expand({kViews, 1, kHeight, kWidth}); };
  const at::Tensor of_two = at::cat({grid(shares[0][0]), grid(shares[0][1])}, 1), of_one = grid(shares[2][0]);
  for (std::int64_t n = 0; n < kCells; ++n) {
    expect_box(boxes, n, two, 2 * n, 0, of_two, sure(two));
    expect_box(boxes, kCells + n, one, 2 * n + 1, 2, of_one, sure(one));
  }
  EXPECT_GT((boxes.weight > 0).sum().item<int>(), 4);
}

INSTANTIATE_TEST_SUITE_P(Losses, TaughtBoxesOf, ::testing::Values(DistillLoss::kQfl, DistillLoss::kProbPeaks));

TEST(TeacherBoxes, ATeacherThatSeesNothingAddsNothing) {
  torch::manual_seed(6);
  Teacher silent({0, 1}, 0);
  const Teacher one({2}, 1);
  silent.dense.index = silent.dense.index.narrow(0, 0, 0);
  silent.dense.wh = silent.dense.offset = silent.dense.wh.narrow(0, 0, 0);
  const at::Tensor whole = at::ones({kViews, 1, 1, 1});
  const TaughtBoxes boxes =
      list_boxes({silent.dense, one.dense}, {silent.voice, one.voice}, {{whole, whole}, {whole}}, {});
  EXPECT_TRUE(at::equal(boxes.index, one.dense.index));
  EXPECT_TRUE(at::equal(boxes.owner, at::ones_like(one.dense.index)));
}

// Where the teacher sees most a class that the student does not use, the box is not one of the others'.
TEST(TaughtBoxes, OfAnUnusedClassTeachNothing) {
  torch::manual_seed(6);
  Teacher teacher({0}, 0);
  const at::Tensor unused = maps(1);
  teacher.dense.heat = at::cat({teacher.voice.heat, unused}, 1);
  const std::vector<std::vector<at::Tensor>> shares = {{at::ones({kViews, 1, 1, 1})}};
  const TaughtBoxes boxes = list_boxes({teacher.dense}, {teacher.voice}, shares, {});
  const at::Tensor own = teacher.voice.heat.flatten().index_select(0, teacher.dense.index);
  const at::Tensor other = unused.flatten().index_select(0, teacher.dense.index);
  const at::Tensor sure = at::relu(own + std::log(4.0));
  EXPECT_TRUE(at::allclose(boxes.weight, sure * (own >= other)));
  EXPECT_GT(((sure > 0) & (own < other)).sum().item<int>(), 0);
}

}  // namespace
}  // namespace conclave
