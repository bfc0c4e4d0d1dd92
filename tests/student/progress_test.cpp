#include "student/progress.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace conclave {
namespace {

// What is written to a stream while it is open.
struct Memory {
  char* text = nullptr;
  std::size_t size = 0;
  std::FILE* stream = open_memstream(&text, &size);
  std::string close() {
    std::fclose(stream);
    std::string copy(text, size);
    std::free(text);
    return copy;
  }
};

TEST(Progress, TellsEverythingOnOneLine) {
  const ProgressState state{120, 1000, 2.3142, 2e-3, 64.12, 0.01, 0.124, 114};
  EXPECT_EQ(to_text(state), "step 120/1000  loss 2.314  lr 2.0e-03  64.1 img/s  data 1 %  teacher 12 %  ETA 1:54");
}

TEST(Progress, WritesPlainLinesEveryFewSecondsOffATerminal) {
  ManualClock clock;
  Memory memory;
  {
    Progress progress(memory.stream, false, clock);
    for (int step = 1; step <= 30; ++step, clock.advance(Seconds(1))) progress.show({.step = step, .steps = 30});
  }
  const std::string text = memory.close();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 4);
  EXPECT_EQ(text.find('\r'), std::string::npos);
}

TEST(Progress, RewritesTheLineOnATerminal) {
  ManualClock clock;
  Memory memory;
  {
    Progress progress(memory.stream, true, clock);
    progress.show({.step = 1, .steps = 3});
    progress.show({.step = 2, .steps = 3});  // too soon
    progress.show({.step = 3, .steps = 3});
  }
  const std::string text = memory.close();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\r'), 2);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
}

}  // namespace
}  // namespace conclave
