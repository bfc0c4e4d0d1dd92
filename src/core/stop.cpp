#include "core/stop.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>

#include "core/error.h"

namespace conclave {
namespace {

std::atomic<bool> stopping{false};
std::atomic<bool> signalled{false};
static_assert(std::atomic<bool>::is_always_lock_free);

void on_signal(int) {
  stopping.store(true);
  if (signalled.exchange(true)) ::_exit(static_cast<int>(Exit::kInterrupted));
}

}  // namespace

void install_stop_signals() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

void request_stop() {
  stopping.store(true);
}

bool stop_requested() {
  return stopping.load(std::memory_order_relaxed);
}

}  // namespace conclave
