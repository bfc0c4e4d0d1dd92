// How many views per second a run's teachers answer when no student trains. scripts/bench_service runs it.
//
//   bench_ask_views CONFIG [key=value ...] [--views N]
//
// Serves the configuration's teachers as `conclave distill` does, with workers from outside (service.bind names the
// address), asks for the views of its training in their order, and prints the views answered per second after a tenth
// of them, as one number.
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "cli/config_run.h"
#include "cli/run_teachers.h"
#include "datasets/dataset.h"
#include "student/sampler.h"
#include "teachers/remote_source.h"

namespace {

using Clock = std::chrono::steady_clock;

double measure(const conclave::RunOptions& options, std::uint64_t views) {
  std::vector<conclave::Dataset> datasets;
  std::vector<std::size_t> sizes;
  for (const conclave::DatasetOptions& set : options.train) {
    datasets.push_back(conclave::load_dataset(set, options.classes));
    sizes.push_back(datasets.back().images.size());
  }
  conclave::Sampler sampler(sizes, options.seed, views, repeated_views(datasets, options.views_per_image));
  const auto source = conclave::RemoteSource::open(options.service.remote, read_teachers(options).expected,
                                                   options.views, sparse_options(options.fusion));
  const std::uint64_t skipped = views / 10;
  std::uint64_t asked = 0;
  Clock::time_point begin;
  for (std::uint64_t taken = 0; taken < views; ++taken) {
    if (taken == skipped) begin = Clock::now();
    for (; asked < views && asked < taken + static_cast<std::uint64_t>(options.training.window); ++asked) {
      const conclave::ViewKey key = *sampler.at(asked);
      const conclave::ImageEntry& image = datasets[key.dataset].images[key.image];
      source->ask({key, image.path, image.width, image.height});
    }
    if (asked == views) source->flush();
    source->take();
  }
  return static_cast<double>(views - skipped) / std::chrono::duration<double>(Clock::now() - begin).count();
}

}  // namespace

int main(int count, char** arguments) {
  std::vector<std::string> words(arguments + 1, arguments + count), overrides;
  std::uint64_t views = 1000;
  try {
    for (std::size_t i = 1; i < words.size(); ++i) {
      if (words[i] == "--views" && i + 1 < words.size()) {
        views = std::stoull(words[++i]);
      } else {
        overrides.push_back(words[i]);
      }
    }
    if (words.empty()) throw std::runtime_error("bench_ask_views CONFIG [key=value ...] [--views N]");
    std::printf("%.3f\n", measure(conclave::read_run_options(words[0], overrides), views));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
