#include "teachers/drawn_views.h"

#include <algorithm>

namespace conclave {

View DrawnViews::draw(const TakenLease& taken, std::size_t view) {
  const TargetRequest& request = taken.lease.views[view];
  const std::uint64_t session = taken.welcome->session;
  const auto found = std::find_if(kept_.begin(), kept_.end(), [&](const Kept& kept) {
    return kept.session == session && kept.view.key == request.key;
  });
  if (found != kept_.end()) {
    kept_.splice(kept_.begin(), kept_, found);
    return found->view;
  }
  View drawn = draw_view(request, taken.welcome->views, root_);
  ++drawn_;
  if (drawn.pixels.size() > capacity_) return drawn;
  bytes_ += drawn.pixels.size();
  kept_.push_front({session, drawn});
  for (; bytes_ > capacity_; kept_.pop_back()) bytes_ -= kept_.back().view.pixels.size();
  return drawn;
}

}  // namespace conclave
