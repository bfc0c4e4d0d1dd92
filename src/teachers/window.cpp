#include "teachers/window.h"

#include <chrono>
#include <utility>

#include "core/error.h"

namespace conclave {
namespace {

// Adds the seconds that `wait` takes to `total`.
template <class F>
auto timed(double& total, F wait) {
  const auto begin = std::chrono::steady_clock::now();
  auto result = wait();
  total += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return result;
}

}  // namespace

Window::Window(const std::vector<Dataset>& datasets, Loader& loader, TargetSource& source,
               std::function<std::optional<ViewKey>()> next_key, std::size_t capacity)
    : datasets_(datasets), loader_(loader), source_(source), next_key_(std::move(next_key)), capacity_(capacity) {
  if (capacity_ == 0) throw Error("a window holds at least one view", "window");
}

void Window::fill() {
  while (!ended_ && in_flight_ < capacity_) {
    const std::optional<ViewKey> key = next_key_();
    if (!key) {
      ended_ = true;
      source_.flush();
      return;
    }
    loader_.ask(*key);
    source_.ask(request_of(datasets_.at(key->dataset), *key, loader_.options()));
    ++in_flight_;
  }
}

std::vector<JoinedView> Window::take(std::size_t count) {
  std::vector<JoinedView> views;
  views.reserve(count);
  fill();
  while (views.size() < count && in_flight_ > 0) {
    JoinedView& joined = views.emplace_back();
    joined.view = timed(data_wait_, [&] { return loader_.take(); });
    joined.targets = timed(teacher_wait_, [&] { return source_.take(); });
    --in_flight_;
    fill();
  }
  return views;
}

}  // namespace conclave
