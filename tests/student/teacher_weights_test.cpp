#include "student/teacher_weights.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "models/weights.h"
#include "student/evaluate.h"
#include "student/run_folder.h"
#include "student/tiny_run.h"
#include "student/trainer.h"
#include "teachers/local_source.h"

namespace conclave {
namespace {

// A run whose two teachers see red: one that learnt a little (of both classes), one that learnt nothing.
class TeacherWeights : public ::testing::Test {
 protected:
  TeacherWeights() {
    RunOptions learning = tiny_.options("learning");
    learning.training.schedule.steps = 60;
    learning.training.checkpoint_every = 60;
    Trainer(learning, {}).run(*make_empty_source(), false);
    options_ = tiny_.options("merged", Method::kKd);
    options_.fusion.merge = Merge::kWeighted;
    options_.val = options_.train.front();
    options_.teachers.resize(2);
    options_.teachers[0].name = "learnt";
    options_.teachers[0].weights = RunFolder{learning.run}.last().string();
    options_.teachers[1].name = "fresh";
    options_.teachers[1].weights = tiny_.make_teacher("red", 3);
    for (TeacherOptions& teacher : options_.teachers) teacher.weight.reset();
    val_ = load_dataset(options_.val, options_.classes);
    teachers_ = {{"learnt", {0, -1}}, {"fresh", {0}}};
  }

  std::string refused() {
    try {
      check_weights(options_, val_, teachers_);
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::kUsage);
      return std::string(error.where()) + ": " + error.what();
    }
    return "nothing";
  }

  TinyRun tiny_;
  RunOptions options_;
  std::optional<Dataset> val_;
  std::vector<TeacherChannels> teachers_;
  ProcessGroup alone_;
};

TEST_F(TeacherWeights, AreTheApThatEvalGivesEachUsedChannel) {
  weigh_by_ap(options_, val_, teachers_, alone_);
  const auto learnt = load_detector(options_.teachers[0].weights).model;
  const ApResult result = evaluate_detector(*learnt, *val_, options_.views, EvaluateOptions(), alone_);
  ASSERT_EQ(teachers_[0].channel_weight.size(), 2u);
  EXPECT_GT(teachers_[0].channel_weight[0], 1e-3) << "it has learnt something";
  EXPECT_NEAR(teachers_[0].channel_weight[0], result.per_class[0].ap, 1e-3);
  EXPECT_EQ(teachers_[0].channel_weight[1], 0) << "a channel that is not used";
  ASSERT_EQ(teachers_[1].channel_weight.size(), 1u);
  EXPECT_GE(teachers_[1].channel_weight[0], 1e-4);
  EXPECT_LT(teachers_[1].channel_weight[0], teachers_[0].channel_weight[0]);
}

TEST_F(TeacherWeights, AreLeftAloneWhereTheyAreGivenOrNotNeeded) {
  options_.teachers[0].weight = 2.0;
  weigh_by_ap(options_, val_, teachers_, alone_);
  EXPECT_TRUE(teachers_[0].channel_weight.empty());
  EXPECT_FALSE(teachers_[1].channel_weight.empty());
  teachers_[1].channel_weight.clear();
  options_.fusion.merge = Merge::kMean;
  weigh_by_ap(options_, val_, teachers_, alone_);
  EXPECT_TRUE(teachers_[1].channel_weight.empty());
}

TEST_F(TeacherWeights, AreMeasuredForFusedPseudoLabelsToo) {
  options_.fusion.merge = Merge::kMax;
  options_.fusion.method = Method::kPseudo;
  weigh_by_ap(options_, val_, teachers_, alone_);
  EXPECT_TRUE(teachers_[0].channel_weight.empty()) << "of several boxes the best one stays";
  options_.fusion.pseudo.merge = PseudoMerge::kWbf;
  weigh_by_ap(options_, val_, teachers_, alone_);
  ASSERT_EQ(teachers_[0].channel_weight.size(), 2u);
  EXPECT_GT(teachers_[0].channel_weight[0], teachers_[1].channel_weight.at(0));
}

TEST_F(TeacherWeights, AreRefusedWithoutAnythingToMeasureThemOn) {
  val_->labelled = {false, true};
  EXPECT_NE(refused().find("teacher learnt: data.val does not label red"), std::string::npos) << refused();
  val_->labelled = {true, true};
  for (ImageEntry& image : val_->images) {
    std::erase_if(image.annotations, [](const Annotation& annotation) { return annotation.cls == 0; });
  }
  EXPECT_NE(refused().find("data.val shows no red"), std::string::npos) << refused();
  options_.teachers[0].weights.clear();
  EXPECT_NE(refused().find("its weights file is not known here"), std::string::npos) << refused();
  val_.reset();
  EXPECT_NE(refused().find("there is no data.val"), std::string::npos) << refused();
}

TEST_F(TeacherWeights, OfOneClassMayNotSumToZero) {
  for (std::size_t t = 0; t < 2; ++t) options_.teachers[t].weight = teachers_[t].weight = 0;
  EXPECT_NE(refused().find("class 'red': the weights of its teachers sum to 0"), std::string::npos) << refused();
  options_.fusion.merge = Merge::kMean;
  EXPECT_EQ(refused(), "nothing");
  options_.fusion.merge = Merge::kWeighted;
  options_.teachers[1].weight = teachers_[1].weight = 0.5;
  EXPECT_EQ(refused(), "nothing");
}

TEST_F(TeacherWeights, AreCheckedBeforeAnyoneIsAsked) {
  options_.val = {};
  EXPECT_THROW(Trainer(options_, teachers_), Error);
}

}  // namespace
}  // namespace conclave
