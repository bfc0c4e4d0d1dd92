#include "store/worker_store.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <thread>

#include "core/error.h"
#include "store/store_folder.h"
#include "store/store_source.h"
#include "teachers/random_targets.h"
#include "teachers/record_writer.h"

namespace conclave {
namespace {

class WorkerStore : public ::testing::Test {
 protected:
  WorkerStore() {
    trainer_.views.width = trainer_.views.height = 64;
    images_.write("a.jpg", "an image");
    images_.write("b.jpg", "another one");
  }
  std::unique_ptr<TargetCache> open(const std::string& root = {}) const {
    return make_worker_store(std::make_unique<TargetStore>(store_.options(), TargetStore::Access::kWrite), teachers_,
                             root);
  }
  TargetRequest view(const std::string& path, std::uint64_t seed = 1) const { return {{0, 0, seed}, path, 80, 60}; }
  TargetRequest at(const std::string& name, std::uint64_t seed = 1) const {
    return view((images_ / name).string(), seed);
  }

  const StoreFolder store_;
  const TemporaryFolder images_;
  const std::vector<ExpectedTeacher> teachers_ = {{"a", "aaaa", {"A"}, {}}, {"b", "bbbb", {"B"}, {}}};
  Welcome trainer_;
};

TEST_F(WorkerStore, FindsWhatItKeptUnderAllThatDecidesTheAnswer) {
  const auto cache = open();
  EXPECT_FALSE(cache->find(0, at("a.jpg"), trainer_));
  cache->keep(0, at("a.jpg"), trainer_, "record");
  EXPECT_EQ(cache->find(0, at("a.jpg"), trainer_), "record");
  EXPECT_EQ(open()->find(0, at("a.jpg"), trainer_), "record");
  EXPECT_FALSE(cache->find(1, at("a.jpg"), trainer_));
  EXPECT_FALSE(cache->find(0, at("b.jpg"), trainer_));
  EXPECT_FALSE(cache->find(0, at("a.jpg", 2), trainer_));
  Welcome other = trainer_;
  other.sparse.floor = 0.01f;
  EXPECT_FALSE(cache->find(0, at("a.jpg"), other));
  other = trainer_;
  other.views.width = 96;
  EXPECT_FALSE(cache->find(0, at("a.jpg"), other));
}

TEST_F(WorkerStore, KnowsAnImageByItsContentWhateverItsPath) {
  open()->keep(0, at("a.jpg"), trainer_, "record");
  EXPECT_EQ(open(images_.path().string())->find(0, view("a.jpg"), trainer_), "record");
  TargetRequest carried = view("/on/the/trainer.jpg");
  carried.image = std::make_shared<const std::string>("an image");
  EXPECT_EQ(open()->find(0, carried, trainer_), "record");
  EXPECT_THROW(open()->find(0, at("absent.jpg"), trainer_), Error);
}

TEST_F(WorkerStore, ReadsAnImageAgainThatHasChanged) {
  const auto cache = open();
  cache->keep(0, at("a.jpg"), trainer_, "record");
  images_.write("a.jpg", "an image, larger by now");
  EXPECT_FALSE(cache->find(0, at("a.jpg"), trainer_));
  images_.write("a.jpg", "an image");
  std::filesystem::last_write_time(images_ / "a.jpg", std::filesystem::file_time_type::clock::now());
  EXPECT_EQ(cache->find(0, at("a.jpg"), trainer_), "record");
}

TEST_F(WorkerStore, IsReadByTrainers) {
  const auto cache = open();
  std::vector<SoftTargets> targets;
  for (std::size_t t = 0; t < 2; ++t) {
    targets.push_back(random_targets(t, 16, 16, 1, 0.05));
    cache->keep(t, at("a.jpg"), trainer_, write_record(targets.back()));
  }
  const auto replay = make_store_source(std::make_unique<TargetStore>(store_.options(), TargetStore::Access::kRead),
                                        StoreMode::kReplay, teachers_, trainer_.views, trainer_.sparse, {});
  replay->ask(at("a.jpg"));
  EXPECT_TRUE(replay->take() == targets);
}

TEST_F(WorkerStore, FindsWhatOthersAppendWithinAboutASecond) {
  const auto cache = open();
  EXPECT_FALSE(cache->find(0, at("a.jpg"), trainer_));
  open()->keep(0, at("a.jpg"), trainer_, "record");
  std::optional<std::string> found;
  for (int i = 0; i < 100 && !found; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    found = cache->find(0, at("a.jpg"), trainer_);
  }
  EXPECT_EQ(found, "record");
}

TEST_F(WorkerStore, ThatBecomesUnreadableGoesOnWithoutFinding) {
  const auto cache = open();
  EXPECT_FALSE(cache->find(0, at("a.jpg"), trainer_));
  std::filesystem::remove_all(store_.path());
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));  // a miss looks for news once a second
  EXPECT_FALSE(cache->find(0, at("a.jpg"), trainer_));
  EXPECT_FALSE(cache->find(0, at("a.jpg"), trainer_));
  EXPECT_THROW(cache->find(0, at("absent.jpg"), trainer_), Error);
}

TEST_F(WorkerStore, ThatCanWriteNoMoreGoesOnWithoutKeeping) {
  ::signal(SIGXFSZ, SIG_IGN);
  struct rlimit limit {};
  ::getrlimit(RLIMIT_FSIZE, &limit);
  const rlim_t before = limit.rlim_cur;
  const auto cache = open();
  cache->keep(0, at("a.jpg"), trainer_, "small");
  limit.rlim_cur = 10000;  // stands for a full disk
  ::setrlimit(RLIMIT_FSIZE, &limit);
  cache->keep(0, at("b.jpg"), trainer_, std::string(20000, 'x'));
  limit.rlim_cur = before;
  ::setrlimit(RLIMIT_FSIZE, &limit);
  EXPECT_FALSE(cache->find(0, at("b.jpg"), trainer_));
  EXPECT_EQ(cache->find(0, at("a.jpg"), trainer_), "small");
}

}  // namespace
}  // namespace conclave
