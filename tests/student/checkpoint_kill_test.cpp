#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>

#include "core/random.h"
#include "student/checkpoint.h"
#include "support/temporary_folder.h"

namespace conclave {
namespace {

constexpr std::int64_t kNumbers = 1 << 18;  // 1 MiB

// Fills without LibTorch's threads: they don't outlive a fork.
void fill(at::Tensor& tensor, std::int64_t step) {
  float* numbers = tensor.data_ptr<float>();
  std::fill(numbers, numbers + kNumbers, static_cast<float>(step));
}

// Writes checkpoint after checkpoint, telling each one's step through `out` once it is saved, until it is killed.
[[noreturn]] void write_for_ever(const std::filesystem::path& folder, at::Tensor tensor, std::int64_t step, int out) {
  while (true) {
    ++step;
    fill(tensor, step);
    save_checkpoint(folder, {step, 0.5, {{"model/x", tensor}}, {}}, 2);
    if (::write(out, &step, sizeof step) != sizeof step) _exit(1);
  }
}

// CONCLAVE_KILLS sets how many.
TEST(CheckpointKill, AValidOneLoadsWhereverTheWriterWasKilled) {
  const TemporaryFolder folder;
  const char* asked = std::getenv("CONCLAVE_KILLS");
  const int kills = asked ? std::atoi(asked) : 60;
  at::Tensor tensor = at::empty({kNumbers});
  fill(tensor, 0);
  save_checkpoint(folder.path(), {0, 0.5, {{"model/x", tensor}}, {}}, 2);
  CounterRandom random(7);
  std::int64_t step = 0;
  int torn = 0;
  for (int i = 0; i < kills; ++i) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      close(ends[0]);
      write_for_ever(folder.path(), tensor, step, ends[1]);
    }
    close(ends[1]);
    usleep(random.below(30'000));
    kill(child, SIGKILL);
    ASSERT_EQ(waitpid(child, nullptr, 0), child);
    std::int64_t saved = step;
    while (read(ends[0], &saved, sizeof saved) == sizeof saved) {
    }
    close(ends[0]);
    for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
      if (entry.path().string().find(".tmp-") != std::string::npos) ++torn;
    }

    const std::optional<Checkpoint> loaded = load_checkpoint(folder.path());
    ASSERT_TRUE(loaded.has_value()) << "after kill " << i;
    EXPECT_GE(loaded->step, saved) << "after kill " << i;
    const at::Tensor& kept = loaded->tensors.at("model/x");
    EXPECT_TRUE(at::equal(kept, at::full({kNumbers}, static_cast<float>(loaded->step)))) << "after kill " << i;
    step = loaded->step;
  }
  EXPECT_GT(step, 0);
  EXPECT_GT(torn, 0) << "no kill fell into a write: the test proves nothing";
}

}  // namespace
}  // namespace conclave
