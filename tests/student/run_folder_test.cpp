#include "student/run_folder.h"

#include <gtest/gtest.h>

#include <fstream>

#include "core/error.h"
#include "student/run_facts.h"
#include "support/temporary_folder.h"

namespace conclave {
namespace {

TEST(RunFolder, IsMadeAndMayBeOpenedAgainBeforeTraining) {
  const TemporaryFolder folder;
  const RunFolder run = open_run_folder(folder.path() / "a" / "b", false);
  std::ofstream(run.config()) << "x";
  write_environment(run, "cpu", 2);
  EXPECT_NO_THROW(open_run_folder(run.root, false));
  EXPECT_TRUE(std::filesystem::is_directory(run.checkpoints()));
}

TEST(RunFolder, RefusesAnotherRunUnlessItIsResumed) {
  const TemporaryFolder folder;
  const RunFolder run = open_run_folder(folder.path(), false);
  std::ofstream(run.last()) << "weights";
  try {
    open_run_folder(folder.path(), false);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.hint().find("--resume"), std::string::npos);
  }
  EXPECT_NO_THROW(open_run_folder(folder.path(), true));
}

TEST(RunFolder, HoldsARunOnceTeachersHaveBeenAsked) {
  const TemporaryFolder folder;
  const RunFolder run = open_run_folder(folder.path(), false);
  std::ofstream(run.pseudo()) << "{}";
  EXPECT_THROW(open_run_folder(folder.path(), false), Error);
  EXPECT_NO_THROW(open_run_folder(folder.path(), true));
}

TEST(RunFolder, RefusesAFile) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "file") << "x";
  EXPECT_THROW(open_run_folder(folder.path() / "file", false), Error);
}

TEST(RunLock, LetsNoSecondTrainingIntoAFolder) {
  const TemporaryFolder folder;
  {
    const RunLock first(RunFolder{folder.path()});
    EXPECT_THROW(RunLock second(RunFolder{folder.path()}), Error);
  }
  EXPECT_NO_THROW(RunLock(RunFolder{folder.path()}));
}

TEST(RunFacts, NameWhatDiffers) {
  RunOptions options;
  const RunFacts before = run_facts(options, {}, {});
  options.training.batch = 5;
  options.training.log_every = 7;
  EXPECT_NO_THROW(check_same_run(before, before, "here"));
  try {
    check_same_run(before, run_facts(options, {}, {}), "here");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("training.batch: was 8, now 5"), std::string::npos) << error.what();
    EXPECT_EQ(std::string(error.what()).find("log_every"), std::string::npos);
  }
}

TEST(RunFacts, TellImagesOfOtherNamesApartAndNotWhereTheyLie) {
  const auto facts_of = [](const std::vector<std::string>& paths) {
    Dataset set;
    set.name = "set";
    for (std::size_t i = 0; i < paths.size(); ++i) set.images.push_back({paths[i], 8, 8, static_cast<int>(i), {}});
    return run_facts({}, {set}, {}).at("train.set");
  };
  EXPECT_EQ(facts_of({"/a/1.jpg", "/a/x/2.jpg"}), facts_of({"b/c/1.jpg", "b/c/x/2.jpg"}));
  EXPECT_NE(facts_of({"/a/1.jpg", "/a/x/2.jpg"}), facts_of({"/a/1.jpg", "/a/y/2.jpg"}));
  EXPECT_NE(facts_of({"/a/1.jpg", "/a/2.jpg"}), facts_of({"/a/1.jpg", "/a/3.jpg"}));
  EXPECT_EQ(facts_of({"/a/1.jpg"}), facts_of({"1.jpg"}));
  EXPECT_EQ(facts_of({"1.jpg", "12.jpg"}), facts_of({"b/1.jpg", "b/12.jpg"}));
}

TEST(RunFacts, TellWeightsToStartFromApartByTheirContent) {
  const TemporaryFolder folder;
  RunOptions options;
  EXPECT_FALSE(run_facts(options, {}, {}).contains("training.init"));
  const auto fact_of = [&](const std::string& name, const std::string& bytes, bool heads) {
    options.training.init = (folder.path() / name).string();
    options.training.init_heads = heads;
    std::ofstream(options.training.init) << bytes;
    return run_facts(options, {}, {}).at("training.init");
  };
  EXPECT_EQ(fact_of("a", "weights", false), fact_of("b", "weights", false));
  EXPECT_NE(fact_of("a", "weights", false), fact_of("a", "others", false));
  EXPECT_NE(fact_of("a", "weights", false), fact_of("a", "weights", true));
}

}  // namespace
}  // namespace conclave
