#pragma once

#include <cerrno>
#include <chrono>
#include <memory>
#include <string>
#include <vector>
#include <zmq.hpp>

namespace conclave {

// A ZeroMQ context for sockets of this address: the process's only one for inproc:// (both ends must share it), else
// one of its own, whose end waits for what its sockets still have to send (their linger time).
std::shared_ptr<zmq::context_t> context_for(const std::string& address);

// Wakes a thread that polls `fd()`. Thread-safe.
class Waker {
 public:
  Waker();
  ~Waker();
  Waker(const Waker&) = delete;
  Waker& operator=(const Waker&) = delete;

  int fd() const { return fd_; }
  void wake();
  void clear();  // forgets all wakes so far

 private:
  int fd_;
};

// Calls `f` again for as long as a signal interrupts it.
template <class F>
auto uninterrupted(F f) {
  while (true) {
    try {
      return f();
    } catch (const zmq::error_t& error) {
      if (error.num() != EINTR) throw;
    }
  }
}

// Blocks until one of the sockets can be read, the waker was woken (this is cleared), a signal came or the time is
// over.
void wait_for_input(const std::vector<zmq::socket_t*>& sockets, Waker& waker, std::chrono::milliseconds timeout);
inline void wait_for_input(zmq::socket_t& socket, Waker& waker, std::chrono::milliseconds timeout) {
  wait_for_input(std::vector<zmq::socket_t*>{&socket}, waker, timeout);
}

}  // namespace conclave
