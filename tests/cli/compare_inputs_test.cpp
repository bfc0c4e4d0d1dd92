#include "cli/compare_inputs.h"

#include <gmock/gmock.h>

#include "core/error.h"
#include "support/temporary_folder.h"

namespace conclave {
namespace {

using testing::HasSubstr;
using testing::Not;

class CompareInputs : public testing::Test {
 protected:
  CompareInputs() {
    std::filesystem::create_directories(folder_ / "i");
    run_.name = "kd, seed 0";
    run_.words = {"distill", "run.yaml"};
    run_.folder = folder_ / "runs/kd/seed0";
    RunOptions& options = run_.options.emplace();
    options.test.images = (folder_ / "i").string();
    options.test.annotations = folder_.write("t.json", "{}");
    options.fusion.method = Method::kKd;
    options.teachers.emplace_back().weights = (folder_ / "t/weights/best.safetensors").string();
    step_.name = "teacher";
    step_.words = {"train", "t.yaml"};
    step_.folder = folder_ / "t";
  }

  std::string error(const std::vector<PlannedTask>& tasks) const {
    ComparePlan plan;
    plan.tasks = tasks;
    try {
      check_inputs(plan);
    } catch (const Error& wrong) {
      EXPECT_EQ(wrong.exit(), Exit::kUsage);
      return wrong.what();
    }
    return {};
  }

  CompareFacts facts() const {
    ComparePlan plan;
    plan.tasks = {step_, run_};
    return input_facts(plan);
  }

  TemporaryFolder folder_;
  PlannedTask run_, step_;
};

TEST_F(CompareInputs, WhatIsNotThereAndNobodyMakesIsNamedAtOnce) {
  EXPECT_EQ(error({step_, run_}), "");
  EXPECT_THAT(error({run_}), HasSubstr("kd, seed 0 reads " + run_.options->teachers[0].weights));
  run_.options->training.init = "gone.safetensors";
  run_.options->train.emplace_back().annotations = (folder_ / "parts/a.json").string();
  const std::string both = error({step_, run_});
  EXPECT_THAT(both, HasSubstr("gone.safetensors"));
  EXPECT_THAT(both, HasSubstr("parts/a.json"));
  PlannedTask split;
  split.words = {"data", "split", "x.json", "--out", (folder_ / "parts").string()};
  split.out = out_of(split.words);
  EXPECT_THAT(error({step_, split, run_}), Not(HasSubstr("parts/a.json")));
  split.out = folder_ / "part";
  EXPECT_THAT(error({step_, split, run_}), HasSubstr("parts/a.json"));
}

TEST(OutOf, IsWhatTheCommandLeaves) {
  EXPECT_EQ(out_of({"data", "split", "x.json", "--out", "parts"}), "parts");
  EXPECT_EQ(out_of({"label", "--out=boxes.json"}), "boxes.json");
  EXPECT_EQ(out_of({"keys", "new", "--out", "trainer"}), "trainer.pub");
  EXPECT_EQ(out_of({"data", "check", "x.json"}), "");
}

TEST_F(CompareInputs, FilesThatNoStepMakesAreFactsByTheirContent) {
  std::filesystem::create_directories(folder_ / "t/weights");
  folder_.write("t/weights/best.safetensors", "one");
  const CompareFacts before = facts();
  EXPECT_EQ(before.size(), 1u) << "the test set; the teacher is made here";
  folder_.write("t/weights/best.safetensors", "two");
  EXPECT_EQ(facts(), before);
  folder_.write("t.json", "{ }");
  EXPECT_EQ(facts().size(), 1u);
  EXPECT_NE(facts(), before);
}

}  // namespace
}  // namespace conclave
