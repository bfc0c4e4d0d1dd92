#include "cli/idle_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace conclave {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;

auto idle(const std::string& key, const std::string& why) {
  return AllOf(Field(&IdleOption::key, key), Field(&IdleOption::why, HasSubstr(why)));
}

TEST(IdleOptions, AreNamedWithWhatMakesThemSo) {
  RunOptions options;
  FusionOptions& fusion = options.fusion;
  EXPECT_THAT(idle_options(options), ElementsAre());
  fusion.temperature = 2;
  EXPECT_THAT(idle_options(options), ElementsAre());
  fusion.loss = DistillLoss::kRelu;
  EXPECT_THAT(idle_options(options), ElementsAre(idle("fusion.temperature", "kd and fusion.loss relu")));
  fusion.loss = DistillLoss::kProbPeaks;
  fusion.temperature = 1;
  fusion.box_floor = 0.3;
  EXPECT_THAT(idle_options(options), ElementsAre(idle("fusion.box_floor", "prob_peaks")));
}

TEST(IdleOptions, OfDistillationAreIdleElsewhere) {
  RunOptions options;
  FusionOptions& fusion = options.fusion;
  fusion.loss = DistillLoss::kBce;
  fusion.merge = Merge::kWeighted;
  fusion.floor = 0.1;
  fusion.box_floor = 0.3;
  fusion.distill.wh = 2;
  fusion.temperature = 2;
  fusion.cwd.weight = 1;
  fusion.cells.peaks = true;
  EXPECT_THAT(idle_options(options), ElementsAre());
  for (const Method method : {Method::kLabels, Method::kIgnore, Method::kBackground, Method::kPseudo}) {
    fusion.method = method;
    std::vector<std::string> keys;
    for (const IdleOption& option : idle_options(options)) keys.push_back(option.key);
    EXPECT_THAT(keys, ElementsAre("fusion.loss", "fusion.merge", "fusion.floor", "fusion.box_floor", "fusion.distill",
                                  "fusion.temperature", "fusion.cwd", "fusion.cells"));
  }
  EXPECT_THAT(idle_options(options).front().why, HasSubstr("with fusion.method pseudo: kd and kd_labels use it"));
}

TEST(IdleOptions, OfOtherMethodsAreIdleInDistillation) {
  RunOptions options;
  FusionOptions& fusion = options.fusion;
  fusion.label.heat = 2;
  fusion.labels_win = true;
  fusion.pseudo.soft = true;
  fusion.balance.value.wh = 1;
  EXPECT_THAT(idle_options(options),
              ElementsAre(idle("fusion.label", "no label"), idle("fusion.labels_win", "kd"),
                          idle("fusion.pseudo", "pseudo uses it"), idle("fusion.balance_value", "fixed_value")));
  fusion = {};
  fusion.method = Method::kKdLabels;
  fusion.labels_win = true;
  EXPECT_THAT(idle_options(options), ElementsAre());
  fusion.both = false;
  EXPECT_THAT(idle_options(options), ElementsAre(idle("fusion.labels_win", "fusion.labelled labels")));
}

TEST(IdleOptions, AreThoseWhoseSwitchIsOff) {
  RunOptions options;
  FusionOptions& fusion = options.fusion;
  fusion.cells.radius = 5;
  fusion.cwd.temperature = 4;
  fusion.distill.iou = 3;
  fusion.both = false;
  options.training.init_heads = true;
  EXPECT_THAT(idle_options(options),
              ElementsAre(idle("fusion.cells_radius", "without fusion.cells peaks"),
                          idle("fusion.cwd.temperature", "without fusion.cwd.weight"),
                          idle("fusion.distill.iou", "giou or ciou"), idle("fusion.labelled", "kd_labels uses it"),
                          idle("training.init_heads", "without training.init")));
  fusion.cells.peaks = true;
  fusion.cwd.weight = 1;
  fusion.box = BoxLoss::kGiou;
  fusion.method = Method::kKdLabels;
  options.training.init = "x.safetensors";
  EXPECT_THAT(idle_options(options), ElementsAre());
}

// It decides which boxes travel and are averaged.
TEST(IdleOptions, TheFloorOfFusedPseudoLabelsIsNone) {
  RunOptions options;
  options.fusion.method = Method::kPseudo;
  options.fusion.floor = 0.01;
  EXPECT_THAT(idle_options(options), ElementsAre(idle("fusion.floor", "pseudo")));
  options.fusion.pseudo.merge = PseudoMerge::kWbf;
  EXPECT_THAT(idle_options(options), ElementsAre());
}

TEST(IdleOptions, ValidationWithoutASetIsIdle) {
  RunOptions options;
  options.training.eval_every = 10;
  EXPECT_THAT(idle_options(options), ElementsAre(idle("training.eval_every", "without data.val")));
  options.val.name = "val";
  EXPECT_THAT(idle_options(options), ElementsAre());
}

TEST(IdleOptions, SetsWithoutASourceAreIdle) {
  EXPECT_THAT(idle_sets({{{}, {.labels = true, .teachers = {}}},
                         {{}, {}},
                         {{.teachers = {0}}, {}},
                         {{.background = true, .teachers = {}}, {}}}),
              ElementsAre(1));
}

}  // namespace
}  // namespace conclave
