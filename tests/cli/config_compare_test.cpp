#include "cli/config_compare.h"

#include <gmock/gmock.h>

#include "core/error.h"
#include "support/temporary_folder.h"

namespace conclave {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kSmall =
    "base: run.yaml\n"
    "baseline: a\n"
    "methods:\n"
    "  a:\n"
    "  b: {set: {training.lr: 1e-3}}\n";

class ConfigCompare : public testing::Test {
 protected:
  CompareOptions read(const std::string& text, const std::vector<std::string>& overrides = {}) {
    return read_compare_options(folder_.write("pair.yaml", text), overrides);
  }

  std::string error(const std::string& text, const std::vector<std::string>& overrides = {}) {
    try {
      read(text, overrides);
    } catch (const Error& wrong) {
      EXPECT_EQ(wrong.exit(), Exit::kUsage);
      return wrong.what();
    }
    ADD_FAILURE() << "no error";
    return {};
  }

  static std::vector<std::string> texts(const std::vector<PlacedOverride>& overrides) {
    std::vector<std::string> texts;
    for (const PlacedOverride& each : overrides) texts.push_back(each.text);
    return texts;
  }

  TemporaryFolder folder_;
};

TEST_F(ConfigCompare, WhatIsLeftOutHasItsDefault) {
  const CompareOptions options = read(kSmall);
  EXPECT_EQ(options.name, "pair");
  EXPECT_EQ(options.run, "runs/compare-pair");
  EXPECT_THAT(options.seeds, ElementsAre(0, 1, 2));
  EXPECT_EQ(options.budget, BudgetKind::kBase);
  EXPECT_EQ(options.slots, 1);
  EXPECT_FALSE(options.share_views);
  ASSERT_EQ(options.methods.size(), 2u);
  EXPECT_EQ(options.methods[0].config, (folder_ / "run.yaml").string()) << "relative to the file";
  EXPECT_THAT(texts(options.methods[1].set), ElementsAre("training.lr=1e-3"));
  EXPECT_EQ(options.methods[1].set[0].place.line, 5);
}

TEST_F(ConfigCompare, OverridesOfAMethodComeAfterThoseOfAllAndMapsBecomeSingleValues) {
  const CompareOptions options = read(
      "base: run.yaml\nbaseline: a\nset: {training.ema: 0.99}\n"
      "methods:\n"
      "  a:\n"
      "  b: {config: other.yaml, set: {fusion: {method: kd, distill: {heat: 2}}, data.val: ~, training.milestones: "
      "[0.5, "
      "0.8],\n"
      "      teachers.0.map: {\"a.b\": c}, run_name: \"a, b\"}}\n");
  EXPECT_EQ(options.methods[1].config, (folder_ / "other.yaml").string());
  EXPECT_THAT(texts(options.methods[1].set),
              ElementsAre("training.ema=0.99", "fusion.method=kd", "fusion.distill.heat=2", "data.val=~",
                          "training.milestones=[0.5, 0.8]", "teachers.0.map={a.b: c}", "run_name=\"a, b\""));
}

TEST_F(ConfigCompare, TheCommandLineReachesEveryKey) {
  const CompareOptions options =
      read(kSmall, {"slots=3", "seeds=[4, 7]", "budget.images=80", "methods.b.set.teachers.0.workers=2",
                    "methods.c.config=here.yaml", "views.shared=true"});
  EXPECT_EQ(options.slots, 3);
  EXPECT_THAT(options.seeds, ElementsAre(4, 7));
  EXPECT_EQ(options.budget, BudgetKind::kImages);
  EXPECT_EQ(options.images, 80);
  EXPECT_TRUE(options.share_views);
  EXPECT_THAT(texts(options.methods[1].set), ElementsAre("training.lr=1e-3", "teachers.0.workers=2"));
  EXPECT_EQ(options.methods[2].config, "here.yaml") << "relative to the working folder";
}

TEST_F(ConfigCompare, BudgetsAreImagesSecondsOrEachItsOwn) {
  EXPECT_EQ(read(std::string(kSmall) + "budget: own\n").budget, BudgetKind::kOwn);
  const CompareOptions timed = read(std::string(kSmall) + "budget: {seconds: 1.5}\n");
  EXPECT_EQ(timed.budget, BudgetKind::kSeconds);
  EXPECT_EQ(timed.seconds, 1.5);
  EXPECT_THAT(error(std::string(kSmall) + "budget: {seconds: 1, images: 2}\n"),
              HasSubstr("pair.yaml:6:9: budget must"));
  EXPECT_THAT(error(std::string(kSmall) + "budget: {images: 2.5}\n"), HasSubstr("whole number"));
  EXPECT_THAT(error(std::string(kSmall) + "budget: 3\n"), HasSubstr("budget must be"));
}

TEST_F(ConfigCompare, StepsAreCommandsOrTrainings) {
  const CompareOptions options = read(std::string(kSmall) +
                                      "prepare:\n"
                                      "  - {name: split, command: [data, split, --images, 20], each_seed: true}\n"
                                      "  - {name: teacher, train: t.yaml, set: {seed: \"{seed}\"}}\n"
                                      "  - {name: second, train: t.yaml, after: [teacher]}\n");
  ASSERT_EQ(options.prepare.size(), 3u);
  EXPECT_THAT(options.prepare[0].command, ElementsAre("data", "split", "--images", "20"));
  EXPECT_TRUE(options.prepare[0].each_seed);
  EXPECT_EQ(options.prepare[1].train, (folder_ / "t.yaml").string());
  EXPECT_THAT(texts(options.prepare[1].set), ElementsAre("seed=\"{seed}\""));
  EXPECT_THAT(options.prepare[2].after, ElementsAre("teacher"));
}

TEST_F(ConfigCompare, EverythingWrongIsToldAtOnceWithItsPlace) {
  const std::string text = error(
      "base: run.yaml\n"
      "baseline: pseudo\n"
      "seeds: [1, 1, 1.5]\n"
      "gap: [a, labels]\n"
      "slot: 2\n"
      "methods:\n"
      "  a: {sets: {}}\n"
      "  ../b: {set: {run: x, seed: 3}}\n"
      "prepare:\n"
      "  - {name: one, command: [data], train: x.yaml}\n"
      "  - {name: two, command: [data], after: [three]}\n"
      "  - {name: two, command: [data]}\n"
      "  - {name: each, command: [data], each_seed: true}\n"
      "  - {name: once, train: t.yaml, after: [each]}\n");
  for (const char* expected :
       {"pair.yaml:2:11: baseline 'pseudo' is not one of the methods a, ../b", "pair.yaml:3:8: seed 1 is named twice",
        "seeds must be whole numbers", "gap 'labels' is not one of", "did you mean 'slots'", "did you mean 'set'",
        "pair.yaml:8:3: a method can't be named '../b'", "the comparison itself sets run",
        "the comparison itself sets seed", "prepare.0 needs either command or train", "no step above is named 'three'",
        "two steps are named 'two'", "prepare.4.after: 'each' runs for every seed"}) {
    EXPECT_THAT(text, HasSubstr(expected));
  }
}

TEST_F(ConfigCompare, AStepAndAMethodMustNotShareAName) {
  EXPECT_THAT(error(std::string(kSmall) + "prepare:\n  - {name: b, train: t.yaml}\n"),
              HasSubstr("pair.yaml:7:5: a step and a method are both named 'b'"));
  EXPECT_THAT(error("base: r.yaml\nbaseline: a\nprepare: [{name: b, train: t.yaml}]\nmethods:\n  a:\n  b:\n"),
              HasSubstr("pair.yaml:6:3: a step and a method are both named 'b'"));
}

TEST_F(ConfigCompare, AShiftLeadsToNoSeedThatIsThereAnyway) {
  EXPECT_THAT(error(kSmall, {"methods.b.seed_shift=2"}),
              HasSubstr("methods.b.seed_shift: 0 + 2 is itself one of the seeds"));
  EXPECT_EQ(read(kSmall, {"methods.b.seed_shift=3"}).methods[1].seed_shift, 3);
}

TEST_F(ConfigCompare, OnlyAMethodThatSaysSoMayFail) {
  const CompareOptions options = read(kSmall, {"methods.b.may_fail=true"});
  EXPECT_FALSE(options.methods[0].may_fail);
  EXPECT_TRUE(options.methods[1].may_fail);
}

TEST_F(ConfigCompare, AComparisonNeedsABaselineSeedsAndTwoMethods) {
  EXPECT_THAT(error("base: r.yaml\nmethods: {a: {}, b: {}}\n"), HasSubstr("baseline is missing"));
  EXPECT_THAT(error("base: r.yaml\nbaseline: a\nmethods: {a: {}}\n"), HasSubstr("at least two"));
  EXPECT_THAT(error("base: r.yaml\nbaseline: a\n"), HasSubstr("at least two"));
  EXPECT_THAT(error("baseline: a\nmethods: {a: {}, b: {}}\n"), HasSubstr("methods.a: no configuration"));
  EXPECT_THAT(error(kSmall, {"seeds=[]"}), HasSubstr("seeds is empty"));
}

}  // namespace
}  // namespace conclave
