#include "ranks/line_socket.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <thread>
#include <utility>

#include "core/error.h"

namespace conclave {
namespace {

constexpr std::size_t kLongestLine = 1 << 16;

using Addresses = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

Addresses addresses_of(const std::string& host, int port) {
  addrinfo wanted{};
  wanted.ai_family = AF_UNSPEC;
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &wanted, &found) != 0) found = nullptr;
  return {found, &::freeaddrinfo};
}

int connected(const std::string& host, int port) {
  const Addresses addresses = addresses_of(host, port);
  for (const addrinfo* a = addresses.get(); a != nullptr; a = a->ai_next) {
    const int descriptor = ::socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
    if (descriptor < 0) continue;
    if (::connect(descriptor, a->ai_addr, a->ai_addrlen) == 0) return descriptor;
    ::close(descriptor);
  }
  return -1;
}

int bound(const sockaddr* address, socklen_t size, int& port) {
  const int descriptor = ::socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) return -1;
  sockaddr_storage own{};
  socklen_t own_size = sizeof own;
  if (::bind(descriptor, address, size) == 0 && ::listen(descriptor, SOMAXCONN) == 0 &&
      ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&own), &own_size) == 0) {
    port = ntohs(own.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(own).sin6_port
                                           : reinterpret_cast<sockaddr_in&>(own).sin_port);
    return descriptor;
  }
  ::close(descriptor);
  return -1;
}

std::string text_of(const sockaddr* address, socklen_t size) {
  char text[NI_MAXHOST] = {};
  return ::getnameinfo(address, size, text, sizeof text, nullptr, 0, NI_NUMERICHOST) == 0 ? text : "";
}

bool is_loopback(const std::string& address) {
  return address.empty() || address.starts_with("127.") || address == "::1";
}

// The source address of a datagram to there; none is sent.
std::string source_towards(const std::string& host) {
  const Addresses addresses = addresses_of(host, 9);
  for (const addrinfo* a = addresses.get(); a != nullptr; a = a->ai_next) {
    const int descriptor = ::socket(a->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) continue;
    sockaddr_storage own{};
    socklen_t size = sizeof own;
    const bool routed = ::connect(descriptor, a->ai_addr, a->ai_addrlen) == 0 &&
                        ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&own), &size) == 0;
    ::close(descriptor);
    if (routed) return text_of(reinterpret_cast<sockaddr*>(&own), size);
  }
  return "";
}

}  // namespace

LineSocket::LineSocket(int descriptor) : descriptor_(descriptor) {
  const int on = 1;
  ::setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

LineSocket::LineSocket(const std::string& host, int port, double seconds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while ((descriptor_ = connected(host, port)) < 0) {
    if (std::chrono::steady_clock::now() > deadline) {
      throw Error(std::string("can't connect: ") + std::strerror(errno), host + ":" + std::to_string(port),
                  "is rank 0 alive, and may this host reach it?");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  const int on = 1;
  ::setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

LineSocket::~LineSocket() {
  close();
}

LineSocket::LineSocket(LineSocket&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), pending_(std::move(other.pending_)) {}

LineSocket& LineSocket::operator=(LineSocket&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(pending_, other.pending_);
  return *this;
}

void LineSocket::close() {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

std::vector<std::string> LineSocket::receive() {
  std::vector<std::string> lines;
  char buffer[4096];
  while (open()) {
    const ssize_t count = ::recv(descriptor_, buffer, sizeof buffer, MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (count <= 0) {
      close();
      break;
    }
    pending_.append(buffer, static_cast<std::size_t>(count));
    for (std::size_t end; (end = pending_.find('\n')) != std::string::npos; pending_.erase(0, end + 1)) {
      lines.push_back(pending_.substr(0, end));
    }
    if (pending_.size() > kLongestLine) close();
  }
  return lines;
}

void LineSocket::send(std::string line) {
  if (!open()) return;
  std::replace(line.begin(), line.end(), '\n', ' ');
  if (line.size() >= kLongestLine) line.resize(kLongestLine - 1);
  line += '\n';
  if (::send(descriptor_, line.data(), line.size(), MSG_DONTWAIT | MSG_NOSIGNAL) != static_cast<ssize_t>(line.size())) {
    // Received lines may still be waiting: the reading side closes.
    ::shutdown(descriptor_, SHUT_WR);
  }
}

int listen_on(const std::string& host, int& port) {
  const Addresses addresses = addresses_of(host, 0);
  for (const addrinfo* a = addresses.get(); a != nullptr; a = a->ai_next) {
    const int descriptor = bound(a->ai_addr, a->ai_addrlen, port);
    if (descriptor >= 0) return descriptor;
  }
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_addr.s_addr = htonl(INADDR_ANY);
  const int descriptor = bound(reinterpret_cast<const sockaddr*>(&any), sizeof any, port);
  if (descriptor < 0) throw Error(std::string("can't listen: ") + std::strerror(errno), host);
  return descriptor;
}

std::string address_towards(const std::string& host) {
  const std::string routed = source_towards(host);
  if (!is_loopback(routed)) return routed;
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return "127.0.0.1";
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(all, &::freeifaddrs);
  for (const ifaddrs* own = all; own != nullptr; own = own->ifa_next) {
    if (own->ifa_addr == nullptr || own->ifa_addr->sa_family != AF_INET || (own->ifa_flags & IFF_UP) == 0) continue;
    const std::string address = text_of(own->ifa_addr, sizeof(sockaddr_in));
    if (!is_loopback(address)) return address;
  }
  return "127.0.0.1";
}

}  // namespace conclave
