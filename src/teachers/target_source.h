#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "datasets/view.h"
#include "fusion/soft_targets.h"

namespace conclave {

// An image file that a view is drawn from.
struct ImageFile {
  std::string path;                                    // as the worker can open it
  int width = 0, height = 0;                           // pixels; a worker that finds another size reports an error
  std::shared_ptr<const std::string> image = nullptr;  // the file's bytes; null: they are read from `path`
};
inline bool operator==(const ImageFile& a, const ImageFile& b) {
  const bool same_image = a.image == b.image || (a.image && b.image && *a.image == *b.image);
  return a.path == b.path && a.width == b.width && a.height == b.height && same_image;
}

// Asks for every teacher's targets of one view.
struct TargetRequest {
  ViewKey key;
  std::string path;  // of the view's own image, as in ImageFile
  int width = 0, height = 0;
  std::shared_ptr<const std::string> image = nullptr;
  std::vector<ImageFile> further = {};  // the other images that the view is drawn from (view_recipe.h), in their order
};
inline bool operator==(const TargetRequest& a, const TargetRequest& b) {
  return a.key == b.key &&
         ImageFile{a.path, a.width, a.height, a.image} == ImageFile{b.path, b.width, b.height, b.image} &&
         a.further == b.further;
}

// Asks for the view of this set's image. REQUIRES: the set has it.
TargetRequest request_of(const Dataset& set, const ViewKey& key, const ViewOptions& options);

// All images of a view, its own first.
std::vector<ImageFile> images_of(const TargetRequest& request);

// Where an image is read from: its path, after `root` when it is relative.
std::string image_path(const std::string& path, const std::string& root);

// The view that a request names, without annotations. `root` goes before a relative path. Throws Error as draw_view
// does. Thread-safe.
View draw_view(const TargetRequest& request, const ViewOptions& options, const std::string& root = {});

// One worker's part in one teacher's answers, seen from this rank.
struct WorkerStats {
  std::string worker;         // its own name, host:pid
  int teacher = 0;            // in the run's order
  std::uint64_t views = 0;    // answered
  double busy_seconds = 0;    // in which it held at least one lease of this teacher
  int held = 0;               // leases it holds now
  double silent_seconds = 0;  // since its last frame
};

struct SourceStats {
  std::uint64_t views = 0;  // taken
  std::uint64_t bytes = 0;  // of encoded records, all teachers
  double wait_seconds = 0;  // spent blocked in take()
  std::vector<std::uint64_t> bytes_per_teacher;
  std::vector<int> workers;         // connected now, per teacher (0s for a local source)
  std::vector<int> waiting_leases;  // that no worker holds, per teacher
  std::vector<WorkerStats> serving;
  std::uint64_t leases_reissued = 0;
  std::uint64_t stored_views = 0;  // of `views`: answered from a store alone; `bytes` holds nothing of them
  std::uint64_t stored_bytes = 0;  // of encoded records read from a store
};

// Where soft targets come from: teachers in this process, workers over ZeroMQ, a store. The trainer can't tell which.
// Used from one thread.
class TargetSource {
 public:
  virtual ~TargetSource() = default;

  // Never blocks; what is asked and not yet taken is bounded by the window.
  virtual void ask(const TargetRequest& request) = 0;

  // No more requests follow (for now): a partly filled lease may go out. More may be asked later.
  virtual void flush() = 0;

  // The targets of the oldest request not yet taken, one per teacher in the run's order. Blocks.
  // Throws Error: a teacher failed; Exit::kStalled when a teacher had no worker for stall_timeout;
  // Exit::kInterrupted when stop_requested() while blocked.
  virtual std::vector<SoftTargets> take() = 0;

  // The work will go on in another process: workers from outside are not sent away when this ends.
  virtual void keep_workers() {}

  virtual SourceStats stats() const = 0;
};

}  // namespace conclave
