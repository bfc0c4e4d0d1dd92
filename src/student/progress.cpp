#include "student/progress.h"

#include <algorithm>
#include <cmath>

namespace conclave {
namespace {

constexpr Seconds kTerminalPause{0.2}, kLinePause{10.0};

}  // namespace

std::string duration_text(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return "-";
  const long long total = std::llround(std::min(seconds, 1e9));
  char text[48];
  if (total >= 3600) {
    std::snprintf(text, sizeof text, "%lld:%02lld:%02lld", total / 3600, total / 60 % 60, total % 60);
  } else {
    std::snprintf(text, sizeof text, "%lld:%02lld", total / 60, total % 60);
  }
  return text;
}

std::string to_text(const ProgressState& state) {
  char text[256];
  std::snprintf(
      text, sizeof text, "step %lld/%lld  loss %.4g  lr %.1e  %.1f img/s  data %.0f %%  teacher %.0f %%  ETA %s",
      static_cast<long long>(state.step), static_cast<long long>(state.steps), state.loss, state.lr,
      state.images_per_second, 100 * state.data_wait, 100 * state.teacher_wait, duration_text(state.eta).c_str());
  return text;
}

Progress::Progress(std::FILE* stream, bool terminal, const Clock& clock)
    : stream_(stream), terminal_(terminal), clock_(clock), next_(clock.now()) {}

Progress::~Progress() {
  if (open_) std::fputc('\n', stream_);
}

void Progress::show(const ProgressState& state) {
  const TimePoint now = clock_.now();
  if (now < next_ && state.step != state.steps) return;
  next_ = now + (terminal_ ? kTerminalPause : kLinePause);
  if (terminal_) {
    std::fprintf(stream_, "\r%s\x1b[K", to_text(state).c_str());
    open_ = true;
  } else {
    std::fprintf(stream_, "%s\n", to_text(state).c_str());
  }
  std::fflush(stream_);
}

void Progress::clear() {
  if (!open_) return;
  std::fputs("\r\x1b[K", stream_);
  std::fflush(stream_);
  open_ = false;
}

}  // namespace conclave
