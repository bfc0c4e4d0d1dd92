#include "student/run_folder.h"

#include <gtest/gtest.h>

#include <fstream>

#include "core/error.h"
#include "student/run_facts.h"
#include "student/temporary_folder.h"

namespace conclave {
namespace {

TEST(RunFolder, IsMadeAndMayBeOpenedAgainBeforeTraining) {
  const TemporaryFolder folder;
  const RunFolder run = open_run_folder(folder.path / "a" / "b", false);
  std::ofstream(run.config()) << "x";
  write_environment(run, "cpu", 2);
  EXPECT_NO_THROW(open_run_folder(run.root, false));
  EXPECT_TRUE(std::filesystem::is_directory(run.checkpoints()));
}

TEST(RunFolder, RefusesAnotherRunUnlessItIsResumed) {
  const TemporaryFolder folder;
  const RunFolder run = open_run_folder(folder.path, false);
  std::ofstream(run.last()) << "weights";
  try {
    open_run_folder(folder.path, false);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.hint().find("--resume"), std::string::npos);
  }
  EXPECT_NO_THROW(open_run_folder(folder.path, true));
}

TEST(RunFolder, RefusesAFile) {
  const TemporaryFolder folder;
  std::ofstream(folder.path / "file") << "x";
  EXPECT_THROW(open_run_folder(folder.path / "file", false), Error);
}

TEST(RunLock, LetsNoSecondTrainingIntoAFolder) {
  const TemporaryFolder folder;
  {
    const RunLock first(RunFolder{folder.path});
    EXPECT_THROW(RunLock second(RunFolder{folder.path}), Error);
  }
  EXPECT_NO_THROW(RunLock(RunFolder{folder.path}));
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

}  // namespace
}  // namespace conclave
