#include "core/stop.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

namespace conclave {
namespace {

// The wait status of a process of its own that ran `work`: the flag and the handlers last for a process's life.
int status_of(const std::function<int()>& work) {
  const pid_t child = fork();
  if (child == 0) _exit(work());
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

bool exited_with(int status, int code) {
  return WIFEXITED(status) && WEXITSTATUS(status) == code;
}

TEST(Stop, IsNotAskedForAtFirst) {
  EXPECT_FALSE(stop_requested());
}

TEST(Stop, EitherSignalSetsTheFlagAndTheProcessGoesOn) {
  for (int signal : {SIGINT, SIGTERM}) {
    EXPECT_TRUE(exited_with(status_of([signal] {
                              install_stop_signals();
                              if (stop_requested()) return 1;
                              raise(signal);
                              return stop_requested() ? 7 : 2;
                            }),
                            7));
  }
}

TEST(Stop, ASecondSignalEndsTheProcessAtOnce) {
  EXPECT_TRUE(exited_with(status_of([] {
                            install_stop_signals();
                            raise(SIGTERM);
                            raise(SIGINT);
                            return 3;
                          }),
                          130));
}

TEST(Stop, CanBeAskedForFromInside) {
  EXPECT_TRUE(exited_with(status_of([] {
                            request_stop();
                            return stop_requested() ? 7 : 1;
                          }),
                          7));
}

}  // namespace
}  // namespace conclave
