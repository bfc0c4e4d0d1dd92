#include "datasets/loader.h"

#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "core/error.h"

namespace conclave {
namespace {

// One view asked for. `view` and `error` belong to the drawing thread until `done`, then to the taker.
struct Slot {
  ViewKey key;
  View view;
  std::exception_ptr error;
  bool done = false;  // guarded by State::mutex
};

}  // namespace

struct Loader::State {
  State(const std::vector<Dataset>& sets, const ViewOptions& view_options) : datasets(sets), options(view_options) {}

  const std::vector<Dataset>& datasets;
  const ViewOptions options;
  std::mutex mutex;
  std::condition_variable asked, drawn;
  std::deque<std::shared_ptr<Slot>> to_take;  // in asking order; guarded by mutex
  std::deque<std::shared_ptr<Slot>> to_draw;  // guarded by mutex
  bool closed = false;                        // guarded by mutex
  std::vector<std::thread> threads;

  View draw(const ViewKey& key) const {
    if (key.dataset >= datasets.size() || key.image >= datasets[key.dataset].images.size()) {
      throw Error("view of image " + std::to_string(key.image) + " of set " + std::to_string(key.dataset) +
                  ", which does not exist");
    }
    return draw_view(datasets[key.dataset], key, options);
  }

  void work() {
    for (;;) {
      std::unique_lock lock(mutex);
      asked.wait(lock, [&] { return closed || !to_draw.empty(); });
      if (closed) return;
      const std::shared_ptr<Slot> slot = std::move(to_draw.front());
      to_draw.pop_front();
      lock.unlock();
      try {
        slot->view = draw(slot->key);
      } catch (...) {
        slot->error = std::current_exception();
      }
      lock.lock();
      slot->done = true;
      drawn.notify_all();
    }
  }
};

Loader::Loader(const std::vector<Dataset>& datasets, const ViewOptions& options, int threads)
    : state_(std::make_unique<State>(datasets, options)) {
  for (int i = 0; i < std::max(1, threads); ++i)
    state_->threads.emplace_back([state = state_.get()] { state->work(); });
}

Loader::~Loader() {
  {
    std::lock_guard lock(state_->mutex);
    state_->closed = true;
  }
  state_->asked.notify_all();
  for (std::thread& thread : state_->threads) thread.join();
}

const ViewOptions& Loader::options() const {
  return state_->options;
}

void Loader::ask(const ViewKey& key) {
  auto slot = std::make_shared<Slot>();
  slot->key = key;
  std::lock_guard lock(state_->mutex);
  state_->to_take.push_back(slot);
  state_->to_draw.push_back(std::move(slot));
  state_->asked.notify_one();
  state_->drawn.notify_all();
}

View Loader::take() {
  std::unique_lock lock(state_->mutex);
  state_->drawn.wait(lock, [&] { return !state_->to_take.empty() && state_->to_take.front()->done; });
  const std::shared_ptr<Slot> slot = std::move(state_->to_take.front());
  state_->to_take.pop_front();
  lock.unlock();
  if (slot->error) std::rethrow_exception(slot->error);
  return std::move(slot->view);
}

}  // namespace conclave
