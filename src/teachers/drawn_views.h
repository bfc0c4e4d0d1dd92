#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>

#include "teachers/target_source.h"
#include "teachers/worker_session.h"

namespace conclave {

// Draws the views of leases and keeps the newest, so that several teachers of one worker share them. One thread.
class DrawnViews {
 public:
  // `root` goes before relative paths. `bytes` of pixels are kept at most; 0: none.
  DrawnViews(std::string root, std::size_t bytes) : root_(std::move(root)), capacity_(bytes) {}

  // The lease's view at this position. Throws Error as draw_view does.
  View draw(const TakenLease& taken, std::size_t view);

  std::size_t drawn() const { return drawn_; }  // not found among those kept

 private:
  struct Kept {
    std::uint64_t session = 0;
    View view;
  };

  const std::string root_;
  const std::size_t capacity_;
  std::list<Kept> kept_;  // newest use first
  std::size_t bytes_ = 0, drawn_ = 0;
};

}  // namespace conclave
