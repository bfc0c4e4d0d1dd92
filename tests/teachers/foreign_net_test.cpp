#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "core/error.h"
#include "teachers/teacher_net.h"

namespace conclave {
namespace {

using ::testing::HasSubstr;

// Gives what it was told to give, and keeps what it was given.
class ScriptedNet : public RawNet {
 public:
  ScriptedNet(std::vector<RawOutput> outputs, at::Tensor* images) : outputs_(std::move(outputs)), images_(images) {}
  std::vector<RawOutput> run(const at::Tensor& images) override {
    if (images_ != nullptr) *images_ = images.clone();
    return outputs_;
  }

 private:
  std::vector<RawOutput> outputs_;
  at::Tensor* images_;
};

class ForeignNet : public ::testing::Test {
 protected:
  ForeignNet() {
    file_.weights = "x.pt";
    file_.classes = {"cat", "dog", "owl"};
    heat_ = at::full({1, 3, 16, 24}, -4.0f);
    wh_ = at::full({1, 2, 16, 24}, 5.0f);
    offset_ = at::full({1, 2, 16, 24}, 0.5f);
  }

  NetAnswer run(std::vector<RawOutput> outputs) {
    return make_foreign_net(std::make_unique<ScriptedNet>(std::move(outputs), &images_), file_, "x.pt")
        ->run(at::arange(64 * 96 * 3).remainder(251).view({1, 64, 96, 3}).to(at::kByte));
  }
  std::string error_of(std::vector<RawOutput> outputs) {
    try {
      run(std::move(outputs));
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  TeacherFile file_;
  at::Tensor heat_, wh_, offset_, images_;
};

TEST_F(ForeignNet, FindsHeadsByPositionByUsualNamesAndAsDescribed) {
  for (const auto& outputs : std::vector<std::vector<RawOutput>>{{{"", heat_}, {"", wh_}, {"", offset_}},
                                                                 {{"reg", offset_}, {"hm", heat_}, {"wh", wh_}}}) {
    const NetAnswer answer = run(outputs);
    EXPECT_TRUE(at::equal(answer.heads.heat, heat_));
    EXPECT_TRUE(at::equal(answer.heads.wh, wh_));
    EXPECT_TRUE(at::equal(answer.heads.offset, offset_));
    EXPECT_EQ(answer.stride_x, 4);
  }
  file_.format.outputs = {{"heat", "2"}, {"wh", "a"}, {"offset", "0"}};
  EXPECT_TRUE(at::equal(run({{"", offset_}, {"a", wh_}, {"", heat_}}).heads.heat, heat_));
}

TEST_F(ForeignNet, NormalisesInTheOrderOfTheChannels) {
  file_.format.mean = {10, 20, 30};
  file_.format.std = {1, 2, 4};
  run({{"", heat_}, {"", wh_}, {"", offset_}});  // the first pixel is (0, 1, 2)
  EXPECT_FLOAT_EQ(images_[0][0][0][0].item<float>(), -10);
  EXPECT_FLOAT_EQ(images_[0][1][0][0].item<float>(), -19.0f / 2);
  EXPECT_FLOAT_EQ(images_[0][2][0][0].item<float>(), -28.0f / 4);
  file_.format.bgr = true;
  run({{"", heat_}, {"", wh_}, {"", offset_}});
  EXPECT_FLOAT_EQ(images_[0][0][0][0].item<float>(), 2 - 10);
  EXPECT_FLOAT_EQ(images_[0][2][0][0].item<float>(), -30.0f / 4);
}

TEST_F(ForeignNet, TurnsProbabilitiesIntoLogitsAndPixelsIntoCells) {
  file_.format.probability = true;
  file_.format.wh_pixels = true;
  const NetAnswer answer = run({{"", heat_.sigmoid()}, {"", wh_}, {"", offset_}});
  EXPECT_TRUE(at::allclose(answer.heads.heat, heat_, 0, 1e-4));
  EXPECT_TRUE(at::allclose(answer.heads.wh, wh_ / 4));
}

TEST_F(ForeignNet, NamesTheFieldOfAWrongDescription) {
  EXPECT_THAT(error_of({{"", wh_}, {"", heat_}, {"", offset_}}), HasSubstr("classes: heat must be (1,3,h,w)"));
  EXPECT_THAT(error_of({{"", heat_}, {"", wh_}}), HasSubstr("there is no offset"));
  file_.format.outputs = {{"heat", "hm"}};
  EXPECT_THAT(error_of({{"a", heat_}, {"b", wh_}, {"c", offset_}}),
              HasSubstr("heat is said to be 'hm', but the file gives a (1,3,16,24), b (1,2,16,24), c (1,2,16,24)"));
  file_.format.outputs.clear();
  EXPECT_THAT(error_of({{"", heat_}, {"", offset_}, {"", wh_}}), HasSubstr("the two are exchanged"));
  EXPECT_THAT(error_of({{"", heat_.sigmoid()}, {"", wh_}, {"", offset_}}), HasSubstr("set format.heat to probability"));
  EXPECT_THAT(error_of({{"", heat_.abs()}, {"", wh_}, {"", offset_}}), HasSubstr("above 0.5 in 100 % of all cells"));
  file_.format.stride = 8;
  EXPECT_THAT(error_of({{"", heat_}, {"", wh_}, {"", offset_}}),
              HasSubstr("format.stride: is 8, but width 96 gives 24"));
  file_.format.stride = 0;
  file_.format.probability = true;
  EXPECT_THAT(error_of({{"", heat_}, {"", wh_}, {"", offset_}}), HasSubstr("format.heat: is said to be a probability"));
  file_.format.probability = false;
  heat_[0][1][3][3] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(error_of({{"", heat_}, {"", wh_}, {"", offset_}}), HasSubstr("the teacher's heat is not finite"));
}

TEST_F(ForeignNet, ReadsBoxesScoresAndClasses) {
  file_.format.kind = TeacherKind::kBoxes;
  file_.format.first_class = 1;
  const at::Tensor boxes =
      at::tensor({10.f, 10.f, 30.f, 40.f, 50.f, 5.f, 60.f, 15.f, 0.f, 0.f, 9.f, 9.f}).view({1, 3, 4});
  const NetAnswer answer =
      run({{"boxes", boxes}, {"labels", at::tensor({2.f, 1.f, 3.f})}, {"scores", at::tensor({0.8f, 0.9f, 0.01f})}});
  ASSERT_TRUE(answer.boxes);
  ASSERT_EQ(answer.detected.front().size(), 2u);  // one is too weak
  EXPECT_EQ(answer.detected.front()[0].cls, 0);
  EXPECT_EQ(answer.detected.front()[1].cls, 1);
  EXPECT_FLOAT_EQ(answer.detected.front()[1].box.y1, 40);
  EXPECT_THAT(error_of({{"boxes", boxes}, {"labels", at::tensor({2.f, 0.f, 3.f})}, {"scores", at::ones({3})}}),
              HasSubstr("format.first_class: a box is of class 0"));
}

TEST_F(ForeignNet, ReadsAScorePerClass) {
  file_.format.kind = TeacherKind::kBoxes;
  const at::Tensor boxes = at::tensor({10.f, 10.f, 30.f, 40.f}).view({1, 1, 4});
  const NetAnswer answer = run({{"boxes", boxes}, {"scores", at::tensor({0.1f, 0.2f, 0.7f}).view({1, 1, 3})}});
  ASSERT_EQ(answer.detected.front().size(), 1u);
  EXPECT_EQ(answer.detected.front()[0].cls, 2);
}

TEST_F(ForeignNet, ReadsRowsAndSkipsTheirPadding) {
  file_.format.kind = TeacherKind::kRows;
  file_.format.relative = true;
  const at::Tensor rows =
      at::tensor({0.25f, 0.5f, 0.5f, 1.f, 0.6f, 1.f, 0.f, 0.f, 0.f, 0.f, 0.f, -1.f}).view({1, 2, 6});
  const NetAnswer answer = run({{"output0", rows}});
  ASSERT_EQ(answer.detected.front().size(), 1u);
  EXPECT_FLOAT_EQ(answer.detected.front()[0].box.x0, 24);  // of 96
  EXPECT_FLOAT_EQ(answer.detected.front()[0].box.y1, 64);
  EXPECT_EQ(answer.detected.front()[0].cls, 1);
}

TEST_F(ForeignNet, ReadsColumnsWithoutTheirDoubles) {
  file_.format.kind = TeacherKind::kColumns;
  at::Tensor columns = at::zeros({1, 7, 10});
  for (const int i : {2, 3}) {
    columns[0][0][i] = 40 + i;
    columns[0][1][i] = 30;
    columns[0][2][i] = 20;
    columns[0][3][i] = 10;
    columns[0][5][i] = 0.1 * i;
  }
  const NetAnswer answer = run({{"", columns}});
  ASSERT_EQ(answer.detected.front().size(), 1u);
  EXPECT_FLOAT_EQ(answer.detected.front()[0].score, 0.3f);
  EXPECT_EQ(answer.detected.front()[0].cls, 1);
  EXPECT_FLOAT_EQ(answer.detected.front()[0].box.x0, 33);
  EXPECT_FLOAT_EQ(answer.detected.front()[0].box.y1, 35);
}

TEST_F(ForeignNet, RefusesBoxesThatCantBe) {
  file_.format.kind = TeacherKind::kRows;
  const auto row = [](float x0, float y0, float x1, float y1, float score, float cls) {
    return std::vector<RawOutput>{{"", at::tensor({x0, y0, x1, y1, score, cls}).view({1, 6})}};
  };
  EXPECT_THAT(error_of(row(30, 30, 20, 10, 0.9f, 0)), HasSubstr("boxes: centred"));
  EXPECT_THAT(error_of(row(3000, 30, 3100, 60, 0.9f, 0)), HasSubstr("far outside of the input"));
  EXPECT_THAT(error_of(row(1, 1, 9, 9, 3.0f, 0)), HasSubstr("a score is 3"));
  EXPECT_THAT(error_of(row(1, 1, 9, 9, 0.9f, 0.5f)), HasSubstr("not a whole number"));
  EXPECT_THAT(error_of(row(1, 1, 9, 9, 0.9f, 7)), HasSubstr("a box is of class 7"));
  EXPECT_THAT(error_of(row(1, 1, NAN, 9, 0.9f, 0)), HasSubstr("rows is not finite"));
  EXPECT_THAT(error_of({{"", at::zeros({1, 4, 7})}}), HasSubstr("rows must be (N,6)"));
}

TEST_F(ForeignNet, RefusesSharesThatAreSaidToBePixels) {
  file_.format.kind = TeacherKind::kRows;
  const at::Tensor shares = at::tensor({0.25f, 0.5f, 0.5f, 1.f, 0.6f, 1.f}).view({1, 6});
  const at::Tensor pixels = at::tensor({24.f, 32.f, 48.f, 64.f, 0.6f, 1.f}).view({1, 6});
  EXPECT_THAT(error_of({{"", shares}}), HasSubstr("relative: true"));
  EXPECT_EQ(error_of({{"", pixels}}), "no error");
  EXPECT_EQ(error_of({{"", at::cat({pixels, shares})}}), "no error");  // a speck beside a real box
  EXPECT_EQ(error_of({{"", at::zeros({1, 6})}}), "no error");
  shares[0][4] = 0.01;
  EXPECT_EQ(error_of({{"", shares}}), "no error");
  EXPECT_THAT(error_of({{"", shares.repeat({10, 1})}}), HasSubstr("all 10 lie within 1.0"));
}

TEST(CheckFormat, NamesTheField) {
  const auto error_of = [](const TeacherFile& file) -> std::string {
    try {
      check_format(file, "x");
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  TeacherFile file("x.onnx");
  EXPECT_THAT(error_of(file), HasSubstr("classes: is missing"));
  file.classes = {"a"};
  EXPECT_EQ(error_of(file), "no error");
  file.format.outputs = {{"hm", "0"}};
  EXPECT_THAT(error_of(file), HasSubstr("format.outputs: there is no 'hm'"));
  file.format.outputs.clear();
  file.format.width = 64;
  EXPECT_THAT(error_of(file), HasSubstr("format.input"));
  TeacherFile own("x.safetensors");
  own.format.bgr = true;
  EXPECT_THAT(error_of(own), HasSubstr("leave the other keys out"));
  EXPECT_THROW(type_of("model.pth"), Error);
}

}  // namespace
}  // namespace conclave
