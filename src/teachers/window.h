#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

#include "datasets/loader.h"
#include "teachers/target_source.h"

namespace conclave {

// A view with what the teachers say about it.
struct JoinedView {
  View view;
  std::vector<SoftTargets> targets;  // per teacher, in the run's order; empty without teachers
};

// The bounded set of views in flight: asked from the loader and the target source ahead of their use, joined by view
// and released in sampler order, whatever the order in which answers arrive. Used from one thread.
class Window {
 public:
  // `next_key` is the sampler: the next view, or nothing at the end. At most `capacity` views are in flight.
  // All references must outlive the window.
  Window(const std::vector<Dataset>& datasets, Loader& loader, TargetSource& source,
         std::function<std::optional<ViewKey>()> next_key, std::size_t capacity);

  // The next `count` views; fewer only at the sampler's end. Blocks. Throws what the loader and the source throw.
  std::vector<JoinedView> take(std::size_t count);

  double data_wait() const { return data_wait_; }        // seconds blocked on the loader so far
  double teacher_wait() const { return teacher_wait_; }  // seconds blocked on the source so far

 private:
  void fill();

  const std::vector<Dataset>& datasets_;
  Loader& loader_;
  TargetSource& source_;
  std::function<std::optional<ViewKey>()> next_key_;
  std::size_t capacity_;
  std::size_t in_flight_ = 0;
  bool ended_ = false;
  double data_wait_ = 0, teacher_wait_ = 0;
};

}  // namespace conclave
