#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "datasets/dataset.h"
#include "datasets/view.h"

namespace conclave {

// Draws views ahead of their use, on its own threads, and hands them out in the order in which they were asked for.
// The caller asks from one thread and takes from one thread (they may differ).
class Loader {
 public:
  // `datasets` must outlive the loader. At most `threads` views are drawn at once.
  Loader(const std::vector<Dataset>& datasets, const ViewOptions& options, int threads);
  ~Loader();  // wakes and joins its threads; views not taken are dropped

  const ViewOptions& options() const;

  // Never blocks; the number of views asked for and not taken is the caller's to bound (the window does).
  void ask(const ViewKey& key);

  // The next view in asking order; blocks until it is drawn. An Error met while drawing it is thrown here.
  View take();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace conclave
