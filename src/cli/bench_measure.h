#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cli/runner.h"

namespace conclave {

// How long something took, over repeats, in seconds.
struct Spread {
  double median = 0, first_quartile = 0, third_quartile = 0;
};
Spread spread_of(std::vector<double> seconds);  // REQUIRES: not empty

// An image as it lies on disk.
struct BenchImage {
  std::string name, bytes;
  int width = 0, height = 0;
};

struct BenchOptions {
  int batch = 1;
  int repeats = 20, warm_up = 3;
};

// One detector at one batch. Alternate measure_once() between those that are compared: what else the machine does then
// hits all of them.
class BenchCase {
 public:
  // `images` must outlive it; fewer than the batch are used again.
  BenchCase(const Runner& runner, const std::vector<BenchImage>& images, int batch);

  void warm_up(int times);
  void measure_once();

  Spread decode() const { return spread_of(decode_); }    // of one image: file in memory to view
  Spread network() const { return spread_of(network_); }  // of a batch: pixels to heads, normalisation included
  Spread post() const { return spread_of(post_); }        // of a batch: heads to boxes in pixels of the images
  double images_per_second() const;                       // one stage after the other
  int batch() const { return batch_; }

 private:
  struct Times {
    double decode = 0, network = 0, post = 0;
  };
  Times run_once();

  const Runner& runner_;
  const std::vector<BenchImage>& images_;
  int batch_;
  std::vector<double> decode_, network_, post_;
};

// The largest resident memory, in bytes, of a process of its own that does `work`; 0 when it fails. REQUIRES: this
// process has no threads yet.
std::int64_t peak_memory_of(const std::function<void()>& work);

}  // namespace conclave
