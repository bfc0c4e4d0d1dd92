#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "ranks/options.h"
#include "ranks/world.h"

namespace conclave {

// Watches that every rank lives, on a thread and connections of its own: rank 0 keeps a TCP connection to each other
// rank, and heartbeats go both ways. A rank whose connection closes without a goodbye, that says it failed, or that is
// silent for options.lost_seconds is lost; rank 0 tells all others which. A process that has not left 10 s after it
// learnt of a loss (blocked in a collective, say) is ended with Exit::kRankLost.
class Supervision {
 public:
  using OnLoss = std::function<void(const std::string& what)>;  // called once, on the thread of the supervision

  // Rank 0: listens on the host where the ranks meet. Throws Error when it can't.
  static std::unique_ptr<Supervision> lead(const World& world, const RanksOptions& options, OnLoss on_loss);
  // Any other rank; `address` is what rank 0's address() says. Throws Error when it can't be reached.
  static std::unique_ptr<Supervision> follow(const World& world, const RanksOptions& options,
                                             const std::string& address, OnLoss on_loss);
  ~Supervision();  // says goodbye, unless fail() was called; joins its thread

  // For the others, to be handed to them by a way that strangers can't read: "host:port:token".
  const std::string& address() const;

  // This rank leaves without the others' consent: they are told why.
  void fail(const std::string& why);

  // "rank 3 died: ...", once a rank is lost. Thread-safe.
  std::optional<std::string> loss() const;
  // The same; waits up to so many seconds for it.
  std::optional<std::string> await_loss(double seconds) const;

 private:
  struct State;
  explicit Supervision(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace conclave
