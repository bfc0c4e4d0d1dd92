#include "teachers/transport.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "core/error.h"

namespace conclave {

std::shared_ptr<zmq::context_t> context_for(const std::string& address) {
  if (address.rfind("inproc://", 0) != 0) return std::make_shared<zmq::context_t>(1);
  // Never destroyed: at exit other threads may still hold sockets of it.
  static auto* const shared = new std::shared_ptr<zmq::context_t>(std::make_shared<zmq::context_t>(1));
  return *shared;
}

Waker::Waker() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (fd_ < 0) throw Error(std::string("eventfd: ") + std::strerror(errno));
}

Waker::~Waker() {
  ::close(fd_);
}

void Waker::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(fd_, &one, sizeof one);  // fails only when it is set to the brim: awake
}

void Waker::clear() {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = ::read(fd_, &count, sizeof count);
}

void wait_for_input(const std::vector<zmq::socket_t*>& sockets, Waker& waker, std::chrono::milliseconds timeout) {
  std::vector<zmq::pollitem_t> items;
  for (zmq::socket_t* socket : sockets) items.push_back({socket->handle(), 0, ZMQ_POLLIN, 0});
  items.push_back({nullptr, waker.fd(), ZMQ_POLLIN, 0});
  try {
    zmq::poll(items, timeout);
  } catch (const zmq::error_t& error) {
    if (error.num() != EINTR) throw;
  }
  waker.clear();
}

}  // namespace conclave
