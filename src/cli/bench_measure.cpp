#include "cli/bench_measure.h"

#include <ATen/ATen.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "core/clock.h"
#include "core/error.h"
#include "student/batch.h"

namespace conclave {
namespace {

constexpr float kThreshold = 0.05f;  // boxes that a person may want to see

// Linear between the values around it.
double quantile(const std::vector<double>& sorted, double share) {
  const double at = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - std::floor(at)) * (sorted[above] - sorted[below]);
}

}  // namespace

Spread spread_of(std::vector<double> seconds) {
  std::sort(seconds.begin(), seconds.end());
  return {quantile(seconds, 0.5), quantile(seconds, 0.25), quantile(seconds, 0.75)};
}

BenchCase::BenchCase(const Runner& runner, const std::vector<BenchImage>& images, int batch)
    : runner_(runner), images_(images), batch_(batch) {}

BenchCase::Times BenchCase::run_once() {
  const SystemClock clock;
  ViewOptions options;
  options.width = runner_.width;
  options.height = runner_.height;
  const TimePoint start = clock.now();
  std::vector<Sight> sights;
  for (int i = 0; i < batch_; ++i) {
    const BenchImage& image = images_[static_cast<std::size_t>(i) % images_.size()];
    ImageEntry entry;
    entry.path = image.name;
    entry.width = image.width;
    entry.height = image.height;
    const std::vector<ViewImage> one = {{entry, &image.bytes}};
    sights.push_back({image.width, image.height, {draw_view(one, ViewKey{}, options)}});
  }
  const TimePoint drawn = clock.now();
  double in_network = 0;
  const RunNetwork timed = [&](const at::Tensor& pixels) {
    const TimePoint before = clock.now();
    NetworkAnswer answer = runner_.network(pixels);
    in_network = (clock.now() - before).count();
    return answer;
  };
  DecodeOptions decode;
  decode.threshold = kThreshold;
  detect(timed, sights, {}, decode);
  const double rest = (clock.now() - drawn).count();
  return {(drawn - start).count() / batch_, in_network, rest - in_network};
}

void BenchCase::warm_up(int times) {
  for (int i = 0; i < times; ++i) run_once();
}

void BenchCase::measure_once() {
  const Times times = run_once();
  decode_.push_back(times.decode);
  network_.push_back(times.network);
  post_.push_back(times.post);
}

double BenchCase::images_per_second() const {
  return batch_ / (batch_ * decode().median + network().median + post().median);
}

std::int64_t peak_memory_of(const std::function<void()>& work) {
  const pid_t child = fork();
  if (child < 0) throw Error("can't start a process to measure memory");
  if (child == 0) {
    int code = 1;
    try {
      work();
      code = 0;
    } catch (const std::exception&) {  // told when the same work is done for its time
    }
    _exit(code);
  }
  int status = 0;
  rusage usage{};
  if (wait4(child, &status, 0, &usage) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0) return 0;
  return std::int64_t{usage.ru_maxrss} * 1024;
}

}  // namespace conclave
