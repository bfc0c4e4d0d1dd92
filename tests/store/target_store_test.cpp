#include "store/target_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "core/error.h"
#include "store/store_folder.h"
#include "store/store_upkeep.h"

namespace conclave {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr auto kWrite = TargetStore::Access::kWrite;

// A process of its own. Ends with _exit, so that nothing of the test's is torn down twice.
pid_t in_child(const std::function<void()>& work) {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  int code = 0;
  try {
    work();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "child: %s\n", error.what());
    code = 1;
  }
  ::_exit(code);
}

int wait_for(pid_t pid) {
  int status = 0;
  ::waitpid(pid, &status, 0);
  return status;
}

TEST(TargetStore, FindsWhatWasAppendedNowAndWhenOpenedAgain) {
  const StoreFolder folder;
  {
    TargetStore store = folder.open(kWrite);
    for (std::uint64_t n = 0; n < 100; ++n) {
      store.append(numbered_key(1, n), "d", numbered_record(1, n));
      EXPECT_TRUE(store.find(numbered_key(1, n)) == numbered_record(1, n));
    }
    EXPECT_EQ(store.targets(), 100u);
    EXPECT_THAT(store.descriptions(), ElementsAre("d"));
  }
  TargetStore store = folder.open();
  EXPECT_EQ(store.targets(), 100u);
  for (std::uint64_t n = 0; n < 100; ++n) EXPECT_TRUE(store.find(numbered_key(1, n)) == numbered_record(1, n));
  EXPECT_FALSE(store.find(numbered_key(1, 100)).has_value());
  EXPECT_FALSE(store.contains(numbered_key(2, 0)));
  EXPECT_THAT(store.descriptions(), ElementsAre("d"));
}

TEST(TargetStore, KeepsTheFirstRecordOfAKey) {
  const StoreFolder folder;
  TargetStore store = folder.open(kWrite);
  store.append(numbered_key(1, 1), "d", "first");
  const std::uint64_t bytes = store.bytes();
  store.append(numbered_key(1, 1), "d", "second");
  EXPECT_EQ(store.find(numbered_key(1, 1)), "first");
  EXPECT_EQ(store.bytes(), bytes);
}

TEST(TargetStore, MakesNoFileBeforeItHasSomethingToKeep) {
  const StoreFolder folder;
  { TargetStore store = folder.open(kWrite); }
  EXPECT_TRUE(list_segments(folder.path()).empty());
}

TEST(TargetStore, BeginsANewSegmentWhenOneIsFull) {
  const StoreFolder folder;
  StoreOptions options = folder.options();
  options.segment_bytes = 10000;
  {
    TargetStore store(options, kWrite);
    for (std::uint64_t n = 0; n < 60; ++n) {
      store.append(numbered_key(1, n), "d", numbered_record(1, n, 2000));
      store.refresh();
    }
    EXPECT_EQ(store.targets(), 60u);
    for (std::uint64_t n = 0; n < 60; ++n) EXPECT_TRUE(store.find(numbered_key(1, n)) == numbered_record(1, n, 2000));
  }
  const auto segments = list_segments(folder.path());
  EXPECT_GE(segments.size(), 4u);
  std::uint64_t bytes = 0;
  for (const auto& path : segments) {
    EXPECT_LE(std::filesystem::file_size(path), 10000u + 2100);
    bytes += std::filesystem::file_size(path);
  }
  EXPECT_EQ(folder.open().bytes(), bytes);
  EXPECT_EQ(folder.open().targets(), 60u);
}

TEST(TargetStore, FindsWhatOthersAppendAfterARefresh) {
  const StoreFolder folder;
  TargetStore a = folder.open(kWrite), b = folder.open(kWrite);
  a.append(numbered_key(1, 0), "d", "of a");
  EXPECT_FALSE(b.contains(numbered_key(1, 0)));
  b.refresh();
  EXPECT_EQ(b.find(numbered_key(1, 0)), "of a");
  a.append(numbered_key(1, 1), "d", "more of a");
  b.append(numbered_key(1, 2), "d", "of b");
  b.refresh();
  a.refresh();
  EXPECT_EQ(b.find(numbered_key(1, 1)), "more of a");
  EXPECT_EQ(a.find(numbered_key(1, 2)), "of b");
}

TEST(TargetStore, ServesAnotherCopyOfADamagedRecord) {
  const StoreFolder folder;
  std::vector<std::filesystem::path> paths;
  for (int i = 0; i < 2; ++i) {
    SegmentWriter writer(folder.path());
    const SegmentEntry entry = writer.append(numbered_key(1, 0), "d", "the same in both");
    writer.append(numbered_key(2, static_cast<std::uint64_t>(i)), "d", "x");
    paths.push_back(writer.path());
    EXPECT_GT(entry.offset, 0u);
  }
  for (const auto& path : paths) {  // first one, then both
    std::string bytes = read_file(path);
    bytes[bytes.find("the same")] = 'T';
    std::ofstream(path, std::ios::binary) << bytes;
    TargetStore store = folder.open();
    EXPECT_EQ(store.targets(), 3u);
    const bool left = path == paths.front();
    EXPECT_EQ(store.find(numbered_key(1, 0)).has_value(), left);
    EXPECT_EQ(store.contains(numbered_key(1, 0)), left);
    EXPECT_EQ(store.find(numbered_key(2, 1)), "x");
  }
}

TEST(TargetStore, LeavesOutFilesThatAreNoSegments) {
  const StoreFolder folder;
  { folder.open(kWrite).append(numbered_key(1, 0), "d", "x"); }
  folder.plant("not a segment at all", "00000000-notes");
  folder.plant("", "empty");
  std::filesystem::create_directory(folder.path() / "folder.seg");
  std::ofstream(folder.path() / "README.txt") << "mine";
  TargetStore store = folder.open();
  EXPECT_EQ(store.targets(), 1u);
  EXPECT_EQ(store.find(numbered_key(1, 0)), "x");
}

TEST(TargetStore, SaysWhenTheFolderIsNotThereOrNotForWriting) {
  const StoreFolder folder;
  StoreOptions options = folder.options();
  options.folder += "/absent";
  try {
    TargetStore store(options, TargetStore::Access::kRead);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("absent"));
    EXPECT_THAT(error.hint(), HasSubstr("auto"));
  }
  TargetStore reader = folder.open();
  EXPECT_THROW(reader.append(numbered_key(1, 0), "d", "x"), Error);
  std::ofstream(options.folder) << "a file";
  EXPECT_THROW(TargetStore(options, kWrite), Error);
}

TEST(TargetStore, ThatCanWriteNoMoreSaysSoAndKeepsWhatItHas) {
  const StoreFolder folder;
  const pid_t child = in_child([&] {
    TargetStore store = folder.open(kWrite);
    ::signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit {};
    ::getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = 20000;  // stands for a full disk
    ::setrlimit(RLIMIT_FSIZE, &limit);
    std::uint64_t n = 0;
    bool refused = false;
    for (; n < 100 && !refused; ++n) {
      try {
        store.append(numbered_key(1, n), "d", numbered_record(1, n));
      } catch (const Error& error) {
        refused = std::string(error.what()).find("can't write") != std::string::npos;
      }
    }
    if (!refused || n < 5) throw Error("was not refused");
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_FSIZE, &limit);
    store.append(numbered_key(2, 0), "d", "there is room again");
  });
  ASSERT_EQ(wait_for(child), 0);
  const SegmentReport report = survey(folder.path(), Payloads::kRead).at(0);
  EXPECT_EQ(report.state.tail() + report.state.damaged + report.damaged_targets, 0u);
  TargetStore store = folder.open();
  EXPECT_EQ(store.find(numbered_key(2, 0)), "there is room again");
  for (std::uint64_t n = 0; n < report.targets - 1; ++n) {
    EXPECT_TRUE(store.find(numbered_key(1, n)) == numbered_record(1, n));
  }
}

TEST(TargetStore, TakesManyWritersAtOnceAndAReader) {
  constexpr std::uint64_t kWriters = 4, kRecords = 300;
  const StoreFolder folder;
  std::vector<pid_t> children;
  for (std::uint64_t w = 0; w < kWriters; ++w) {
    children.push_back(in_child([&] {
      StoreOptions options = folder.options();
      options.segment_bytes = 100000;
      TargetStore store(options, kWrite);
      for (std::uint64_t n = 0; n < kRecords; ++n) {
        store.append(numbered_key(w, n), "writer " + std::to_string(w), numbered_record(w, n));
        store.append(numbered_key(99, n), "shared", numbered_record(99, n));  // each writer has its own copy, or none
        if (n % 50 == 0) store.refresh();
      }
    }));
  }
  TargetStore reader = folder.open();
  while (!children.empty()) {
    reader.refresh();
    for (std::uint64_t w = 0; w < kWriters; ++w) {
      for (std::uint64_t n = 0; n < kRecords; n += 17) {
        const auto record = reader.find(numbered_key(w, n));
        ASSERT_TRUE(!record || *record == numbered_record(w, n));
      }
    }
    int status = 0;
    const pid_t ended = ::waitpid(-1, &status, WNOHANG);
    if (ended <= 0) continue;
    ASSERT_EQ(status, 0);
    std::erase(children, ended);
  }
  reader.refresh();
  EXPECT_EQ(reader.targets(), (kWriters + 1) * kRecords);
  for (std::uint64_t w : {0, 1, 2, 3, 99}) {
    for (std::uint64_t n = 0; n < kRecords; ++n) ASSERT_TRUE(reader.find(numbered_key(w, n)) == numbered_record(w, n));
  }
  for (const SegmentReport& report : survey(folder.path(), Payloads::kRead)) {
    EXPECT_EQ(report.state.damaged + report.state.tail() + report.damaged_targets, 0u);
    EXPECT_FALSE(report.growing);
  }
}

// Writers are killed at random moments; each says over a pipe how far it is: what it said must be there.
TEST(TargetStore, LosesNothingThatItSaidWasKeptWhenItsWriterIsKilled) {
  constexpr std::uint64_t kKills = 20;
  const StoreFolder folder;
  StoreOptions options = folder.options();
  options.segment_bytes = 200000;
  CounterRandom random(::getpid());
  std::vector<std::uint64_t> kept;
  for (std::uint64_t w = 0; w < kKills; ++w) {
    int pipe[2];
    ASSERT_EQ(::pipe(pipe), 0);
    const pid_t child = in_child([&] {
      ::close(pipe[0]);
      TargetStore store(options, kWrite);
      for (std::uint64_t n = 0;; ++n) {
        store.append(numbered_key(w, n), "d", numbered_record(w, n, 20000));
        if (n % 8 == 7) {
          store.sync();
          const std::uint64_t count = n + 1;
          if (::write(pipe[1], &count, sizeof count) != sizeof count) return;
        }
      }
    });
    ::close(pipe[1]);
    std::uint64_t count = 0;
    ASSERT_EQ(::read(pipe[0], &count, sizeof count), static_cast<ssize_t>(sizeof count));
    ::usleep(random.below(20000));
    ::kill(child, SIGKILL);
    wait_for(child);
    while (::read(pipe[0], &count, sizeof count) == static_cast<ssize_t>(sizeof count)) {
    }
    ::close(pipe[0]);
    kept.push_back(count);
  }
  const auto check = [&] {
    TargetStore store = folder.open();
    std::uint64_t whole = 0;
    for (std::uint64_t w = 0; w < kKills; ++w) {
      for (std::uint64_t n = 0; n < kept[w]; ++n) {
        ASSERT_TRUE(store.find(numbered_key(w, n)) == numbered_record(w, n, 20000)) << w << " " << n;
      }
      for (std::uint64_t n = kept[w]; store.contains(numbered_key(w, n)); ++n) {
        ASSERT_TRUE(store.find(numbered_key(w, n)) == numbered_record(w, n, 20000)) << w << " " << n;
        ++whole;
      }
    }
    std::uint64_t said = 0;
    for (const std::uint64_t n : kept) said += n;
    EXPECT_EQ(store.targets(), said + whole);
  };
  check();
  for (const SegmentReport& report : survey(folder.path(), Payloads::kRead)) {
    EXPECT_EQ(report.damaged_targets + report.state.damaged, 0u);
    EXPECT_FALSE(report.growing);
    EXPECT_EQ(cut_tail(report.path), report.cut());
  }
  for (const SegmentReport& report : survey(folder.path(), Payloads::kRead)) EXPECT_EQ(report.state.tail(), 0u);
  check();
}

}  // namespace
}  // namespace conclave
