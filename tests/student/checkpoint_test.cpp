#include "student/checkpoint.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "core/error.h"
#include "core/file.h"
#include "core/log.h"
#include "support/temporary_folder.h"

namespace conclave {
namespace {

Checkpoint checkpoint_at(std::int64_t step) {
  return {step,
          0.1 * static_cast<double>(step),
          {{"model/x", at::full({3, 2}, step)}, {"n", at::tensor({step})}},
          {{"k", "v"}}};
}

std::size_t files_in(const std::filesystem::path& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

TEST(Checkpoint, ComesBackAsItWasSaved) {
  const TemporaryFolder folder;
  save_checkpoint(folder.path(), checkpoint_at(3));
  const Checkpoint loaded = *load_checkpoint(folder.path());
  EXPECT_EQ(loaded.step, 3);
  EXPECT_EQ(loaded.best, 0.1 * 3);
  EXPECT_EQ(loaded.metadata, (std::map<std::string, std::string>{{"k", "v"}}));
  EXPECT_TRUE(at::equal(loaded.tensors.at("model/x"), at::full({3, 2}, 3)));
  EXPECT_EQ(loaded.tensors.at("n").item<int64_t>(), 3);
}

TEST(Checkpoint, KeepsOnlyTheNewest) {
  const TemporaryFolder folder;
  for (const std::int64_t step : {1, 2, 10, 11}) save_checkpoint(folder.path(), checkpoint_at(step), 2);
  EXPECT_EQ(files_in(folder.path()), 2u);
  EXPECT_EQ(load_checkpoint(folder.path())->step, 11);
}

TEST(Checkpoint, FallsBackWhenTheNewestIsTruncatedOrChanged) {
  const TemporaryFolder folder;
  for (const std::int64_t step : {1, 2, 3}) save_checkpoint(folder.path(), checkpoint_at(step), 3);
  std::filesystem::resize_file(folder.path() / "step-00000003.safetensors", 100);
  std::string bytes = read_file(folder.path() / "step-00000002.safetensors");
  bytes.back() ^= 1;
  std::ofstream(folder.path() / "step-00000002.safetensors", std::ios::binary) << bytes;
  EXPECT_EQ(load_checkpoint(folder.path())->step, 1);
}

TEST(Checkpoint, FallsBackWhereverABitOfTheNewestIsTurnedOver) {
  const TemporaryFolder folder;
  for (const std::int64_t step : {1, 2}) save_checkpoint(folder.path(), checkpoint_at(step));
  const std::filesystem::path newest = folder.path() / "step-00000002.safetensors";
  const std::string whole = read_file(newest);
  const auto level = spdlog::get_level();
  spdlog::set_level(spdlog::level::off);
  for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    std::string bytes = whole;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    std::ofstream(newest, std::ios::binary) << bytes;
    const std::optional<Checkpoint> loaded = load_checkpoint(folder.path());
    EXPECT_TRUE(loaded && loaded->step == 1) << "byte " << bit / 8 << ", bit " << bit % 8;
  }
  spdlog::set_level(level);
  std::ofstream(newest, std::ios::binary) << whole;
  EXPECT_EQ(load_checkpoint(folder.path())->step, 2);
}

TEST(Checkpoint, IsPassedOverUnderTheNameOfAnotherStep) {
  const TemporaryFolder folder;
  save_checkpoint(folder.path(), checkpoint_at(1));
  std::filesystem::copy(folder.path() / "step-00000001.safetensors", folder.path() / "step-00000002.safetensors");
  EXPECT_EQ(load_checkpoint(folder.path())->step, 1);
  std::filesystem::remove(folder.path() / "step-00000001.safetensors");
  EXPECT_THROW(load_checkpoint(folder.path()), Error);  // a training must not begin anew beside it
}

TEST(Checkpoint, StaysWhereLaterOnesCantBeRead) {
  const TemporaryFolder folder;
  for (const char* later : {"step-00000008.safetensors", "step-00000009.safetensors"})
    std::ofstream(folder.path() / later) << "damaged";
  for (const std::int64_t step : {1, 2, 3}) save_checkpoint(folder.path(), checkpoint_at(step));
  EXPECT_EQ(load_checkpoint(folder.path())->step, 3);
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "step-00000002.safetensors"));
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "step-00000001.safetensors"));
}

TEST(Checkpoint, IsAbsentInAnEmptyOrMissingFolder) {
  const TemporaryFolder folder;
  EXPECT_FALSE(load_checkpoint(folder.path()).has_value());
  EXPECT_FALSE(load_checkpoint(folder.path() / "none").has_value());
}

TEST(Checkpoint, IgnoresAndRemovesWhatAKilledProcessLeftAside) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "step-00000009.safetensors.tmp-77") << "half";
  EXPECT_FALSE(load_checkpoint(folder.path()).has_value());
  save_checkpoint(folder.path(), checkpoint_at(1));
  EXPECT_EQ(files_in(folder.path()), 1u);
}

TEST(Checkpoint, LeavesTheOlderOneWhenTheDiskIsFull) {
  const TemporaryFolder folder;
  save_checkpoint(folder.path(), checkpoint_at(1));
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{64, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  std::string what;
  try {
    save_checkpoint(folder.path(), checkpoint_at(2), 1);
  } catch (const Error& error) {
    what = error.what();
  }
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_NE(what.find("checkpoint of step 2"), std::string::npos) << what;
  EXPECT_EQ(load_checkpoint(folder.path())->step, 1);
  EXPECT_EQ(files_in(folder.path()), 1u);
}

}  // namespace
}  // namespace conclave
