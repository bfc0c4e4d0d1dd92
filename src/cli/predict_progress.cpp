#include "cli/predict_progress.h"

#include <algorithm>

namespace conclave {
namespace {

constexpr Seconds kTerminalPause{0.2}, kLinePause{10.0};

}  // namespace

PredictProgress::PredictProgress(std::FILE* stream, bool terminal, const Clock& clock, std::size_t total)
    : stream_(stream),
      terminal_(terminal),
      clock_(clock),
      total_(total),
      start_(clock.now()),
      next_(start_ + (terminal ? kTerminalPause : kLinePause)) {}

PredictProgress::~PredictProgress() {
  if (open_) std::fputc('\n', stream_);
}

double PredictProgress::images_per_second() const {
  return static_cast<double>(pictures_) / std::max(1e-6, (clock_.now() - start_).count());
}

std::string PredictProgress::text() const {
  char line[96];
  if (total_ > 0) {
    std::snprintf(line, sizeof line, "%zu/%zu images  %.1f images/s", pictures_, std::max(total_, pictures_),
                  images_per_second());
  } else {
    std::snprintf(line, sizeof line, "%zu images  %.1f images/s", pictures_, images_per_second());
  }
  return line;
}

void PredictProgress::add(std::size_t objects) {
  ++pictures_;
  objects_ += objects;
  const TimePoint now = clock_.now();
  if (now < next_) return;
  next_ = now + (terminal_ ? kTerminalPause : kLinePause);
  std::fprintf(stream_, terminal_ ? "\r%s\x1b[K" : "%s\n", text().c_str());
  std::fflush(stream_);
  open_ = terminal_;
}

}  // namespace conclave
