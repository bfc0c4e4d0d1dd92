#include "store/store_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "core/error.h"
#include "store/store_folder.h"
#include "teachers/random_targets.h"
#include "teachers/record_writer.h"

namespace conclave {
namespace {

using testing::HasSubstr;

using Targets = std::vector<std::vector<SoftTargets>>;

// What the two teachers say: a function of image and seed, as a frozen detector's answer is.
std::vector<SoftTargets> answer(const TargetRequest& request) {
  const std::uint64_t what = mix(std::hash<std::string>()(request.path), request.key.seed);
  return {random_targets(mix(what, 1), 16, 16, 1, 0.05), random_targets(mix(what, 2), 16, 16, 2, 0.01)};
}

struct Asked {
  std::vector<TargetRequest> requests;
  int opened = 0, flushed = 0;
};

class Teachers final : public TargetSource {
 public:
  explicit Teachers(Asked& asked) : asked_(asked) { ++asked_.opened; }
  void ask(const TargetRequest& request) override {
    asked_.requests.push_back(request);
    waiting_.push_back(request);
  }
  void flush() override { ++asked_.flushed; }
  std::vector<SoftTargets> take() override {
    const TargetRequest request = waiting_.front();
    waiting_.pop_front();
    stats_.bytes_per_teacher.resize(2);
    for (std::size_t t = 0; t < 2; ++t) {
      stats_.bytes_per_teacher[t] += write_record(answer(request)[t]).size();
      stats_.bytes += write_record(answer(request)[t]).size();
    }
    ++stats_.views;
    return answer(request);
  }
  SourceStats stats() const override { return stats_; }

 private:
  Asked& asked_;
  SourceStats stats_;
  std::deque<TargetRequest> waiting_;
};

class StoreSource : public ::testing::Test {
 protected:
  StoreSource() {
    views_.width = views_.height = 64;
    for (int i = 0; i < kImages; ++i) images_.write(std::to_string(i) + ".jpg", "image " + std::to_string(i));
  }

  std::unique_ptr<TargetSource> open(StoreMode mode) {
    const auto access = mode == StoreMode::kReplay ? TargetStore::Access::kRead : TargetStore::Access::kWrite;
    OpenTeachers teachers;
    if (mode != StoreMode::kReplay) teachers = [this] { return std::make_unique<Teachers>(asked_); };
    return make_store_source(std::make_unique<TargetStore>(store_.options(), access), mode, teachers_, views_, sparse_,
                             teachers);
  }

  // The i-th view: `repeat` views later the same one comes again.
  TargetRequest request(int i, int repeat = 1000) const {
    const int n = i % repeat, image = n % kImages;
    return {{0, static_cast<std::uint32_t>(image), static_cast<std::uint64_t>(n) + 1},
            (images_ / (std::to_string(image) + ".jpg")).string(),
            80,
            60};
  }

  Targets drain(TargetSource& source, int views, int repeat = 1000, int window = 8) const {
    Targets targets;
    int asked = 0;
    for (int i = 0; i < views; ++i) {
      while (asked < views && asked < i + window) source.ask(request(asked++, repeat));
      if (asked == views) source.flush();
      targets.push_back(source.take());
    }
    return targets;
  }
  Targets live(int views, int repeat = 1000) const {
    Targets targets;
    for (int i = 0; i < views; ++i) targets.push_back(answer(request(i, repeat)));
    return targets;
  }

  static constexpr int kImages = 5;
  const StoreFolder store_;
  const TemporaryFolder images_;
  ViewOptions views_;
  SparseOptions sparse_;
  std::vector<ExpectedTeacher> teachers_ = {{"a", "aaaa", {"A"}, {}}, {"b", "bbbb", {"B", "C"}, {}}};
  Asked asked_;
};

TEST_F(StoreSource, RecordAsksForEverythingAndReplayGivesTheSameBitsWithoutAsking) {
  EXPECT_TRUE(drain(*open(StoreMode::kRecord), 30) == live(30));
  EXPECT_EQ(asked_.requests.size(), 30u);
  EXPECT_GE(asked_.flushed, 1);
  const auto replay = open(StoreMode::kReplay);
  EXPECT_TRUE(drain(*replay, 30) == live(30));
  EXPECT_EQ(asked_.requests.size(), 30u);
  EXPECT_EQ(asked_.opened, 1);
}

TEST_F(StoreSource, RecordAsksAgainForWhatIsThereAndKeepsItOnce) {
  EXPECT_TRUE(drain(*open(StoreMode::kRecord), 30, 10) == live(30, 10));
  EXPECT_EQ(asked_.requests.size(), 30u);
  EXPECT_EQ(store_.open().targets(), 20u);
}

TEST_F(StoreSource, AutoAsksForWhatIsMissingAndKeepsTheOrder) {
  drain(*open(StoreMode::kAuto), 12);
  EXPECT_EQ(asked_.requests.size(), 12u);
  asked_ = {};
  // 0..11 are there, 12..29 are not; mixed in the order of the requests.
  const auto source = open(StoreMode::kAuto);
  Targets targets, expected;
  for (int i = 0; i < 15; ++i) {
    for (const int view : {29 - i, i}) {
      source->ask(request(view));
      expected.push_back(answer(request(view)));
    }
  }
  source->flush();
  for (int i = 0; i < 30; ++i) targets.push_back(source->take());
  EXPECT_TRUE(targets == expected);
  EXPECT_EQ(asked_.requests.size(), 18u);
}

TEST_F(StoreSource, AutoStartsNoTeacherWhenEverythingIsThere) {
  drain(*open(StoreMode::kAuto), 20);
  asked_ = {};
  EXPECT_TRUE(drain(*open(StoreMode::kAuto), 20) == live(20));
  EXPECT_EQ(asked_.opened, 0);
}

TEST_F(StoreSource, ALoneMissingViewDoesNotWaitForOthersToFillItsLease) {
  drain(*open(StoreMode::kAuto), 20);
  asked_ = {};
  const auto source = open(StoreMode::kAuto);
  source->ask(request(20));
  for (int i = 0; i < 7; ++i) source->ask(request(i));
  EXPECT_EQ(asked_.flushed, 0);
  source->ask(request(7));
  EXPECT_EQ(asked_.flushed, 1);
  for (int i = 8; i < 20; ++i) source->ask(request(i));
  EXPECT_EQ(asked_.flushed, 1);
}

TEST_F(StoreSource, AutoAsksOnceForAViewThatRepeatsWhileItIsUnderWay) {
  for (const int repeat : {1, 3, 10}) {
    asked_ = {};
    teachers_[0].hash += "x";
    EXPECT_TRUE(drain(*open(StoreMode::kAuto), 40, repeat, 16) == live(40, repeat));
    EXPECT_EQ(asked_.requests.size(), static_cast<std::size_t>(repeat));
  }
}

TEST_F(StoreSource, AViewOfWhichOneTeacherIsMissingIsAskedAndOnlyThatOneKept) {
  drain(*open(StoreMode::kAuto), 10);
  const std::size_t before = store_.open().targets();
  teachers_[1].hash = "another";
  asked_ = {};
  EXPECT_TRUE(drain(*open(StoreMode::kAuto), 10) == live(10));
  EXPECT_EQ(asked_.requests.size(), 10u);
  EXPECT_EQ(store_.open().targets(), before + 10);
}

TEST_F(StoreSource, KnowsAnImageByItsContentWhereverItLies) {
  drain(*open(StoreMode::kAuto), 10);
  asked_ = {};
  const TemporaryFolder moved;
  const auto source = open(StoreMode::kAuto);
  for (int i = 0; i < 10; ++i) {
    TargetRequest other = request(i);
    other.key.dataset = 3;
    other.key.image += 17;
    other.path =
        moved.write("moved-" + std::to_string(i % kImages) + ".jpg", "image " + std::to_string(i % kImages)).string();
    source->ask(other);
  }
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(source->take() == answer(request(i)));
  EXPECT_EQ(asked_.opened, 0);
  images_.write("0.jpg", "another picture");
  const auto again = open(StoreMode::kAuto);
  again->ask(request(0));
  again->take();
  EXPECT_EQ(asked_.requests.size(), 1u);
}

TEST_F(StoreSource, TakesTheBytesOfARequestThatBringsThem) {
  drain(*open(StoreMode::kAuto), 5);
  const auto source = open(StoreMode::kReplay);
  TargetRequest other = request(0);
  other.path = "not/here.jpg";
  other.image = std::make_shared<const std::string>("image 0");
  source->ask(other);
  EXPECT_TRUE(source->take() == answer(request(0)));
}

TEST_F(StoreSource, ReplayNamesTheImageAndTheTeacherOfAMissingView) {
  drain(*open(StoreMode::kRecord), 10);
  const auto source = open(StoreMode::kReplay);
  for (int i = 8; i < 12; ++i) source->ask(request(i));  // asking is no error: what is there still comes first
  EXPECT_TRUE(source->take() == answer(request(8)));
  EXPECT_TRUE(source->take() == answer(request(9)));
  try {
    source->take();
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("teacher a"));
    EXPECT_THAT(error.what(), HasSubstr("0.jpg"));
    EXPECT_THAT(error.where(), HasSubstr(store_.path().string()));
    EXPECT_THAT(error.hint(), HasSubstr("service.store.mode=auto"));
    EXPECT_THAT(error.hint(), HasSubstr("data.views_per_image"));
  }
  teachers_[1].hash = "another";
  const auto other = open(StoreMode::kReplay);
  other->ask(request(8));
  try {
    other->take();
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("teacher b (weights another)"));
    EXPECT_THAT(error.what(), HasSubstr("none of these weights"));
    EXPECT_THAT(error.hint(), HasSubstr("conclave store list"));
  }
}

TEST_F(StoreSource, AsksForADamagedRecordAgain) {
  drain(*open(StoreMode::kAuto), 10);
  std::string bytes = read_file(store_.only_segment());
  bytes[bytes.size() - 6] = static_cast<char>(bytes[bytes.size() - 6] ^ 1);
  std::ofstream(store_.only_segment(), std::ios::binary) << bytes;
  asked_ = {};
  EXPECT_TRUE(drain(*open(StoreMode::kAuto), 10) == live(10));
  EXPECT_EQ(asked_.requests.size(), 1u);
  asked_ = {};
  EXPECT_TRUE(drain(*open(StoreMode::kAuto), 10) == live(10));
  EXPECT_EQ(asked_.requests.size(), 0u);
}

TEST_F(StoreSource, CountsWhatCameFromTheStoreApartFromWhatWasAsked) {
  drain(*open(StoreMode::kAuto), 10);
  const auto source = open(StoreMode::kAuto);
  drain(*source, 25);
  std::uint64_t stored[2] = {}, asked[2] = {};
  for (int i = 0; i < 25; ++i) {
    for (std::size_t t = 0; t < 2; ++t) (i < 10 ? stored : asked)[t] += write_record(answer(request(i))[t]).size();
  }
  const SourceStats stats = source->stats();
  EXPECT_EQ(stats.views, 25u);
  EXPECT_EQ(stats.stored_views, 10u);
  EXPECT_EQ(stats.stored_bytes, stored[0] + stored[1]);
  EXPECT_EQ(stats.bytes, asked[0] + asked[1]);
  EXPECT_EQ(stats.bytes_per_teacher, (std::vector<std::uint64_t>{asked[0], asked[1]}));
  EXPECT_EQ(open(StoreMode::kReplay)->stats().workers, (std::vector<int>{0, 0}));
}

TEST_F(StoreSource, SaysWhatItCantKnow) {
  const auto source = open(StoreMode::kAuto);
  TargetRequest absent = request(0);
  absent.path = "absent.jpg";
  EXPECT_THROW(source->ask(absent), Error);
  EXPECT_THROW(source->take(), Error);
  teachers_[0].hash.clear();
  EXPECT_THROW(open(StoreMode::kAuto), Error);
}

}  // namespace
}  // namespace conclave
