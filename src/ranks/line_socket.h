#pragma once

#include <string>
#include <vector>

namespace conclave {

// A TCP connection that carries short lines of text. Never blocks but in its constructor. Not thread-safe.
class LineSocket {
 public:
  explicit LineSocket(int descriptor);  // takes over an open connection
  // Connects; tries again until `seconds` are over. Throws Error (where = host:port).
  LineSocket(const std::string& host, int port, double seconds);
  ~LineSocket();
  LineSocket(LineSocket&& other) noexcept;
  LineSocket& operator=(LineSocket&& other) noexcept;

  int descriptor() const { return descriptor_; }
  bool open() const { return descriptor_ >= 0; }

  // The whole lines that have arrived. Closes itself at the peer's end, at an error, and at a line that never ends.
  std::vector<std::string> receive();
  // Line breaks inside become blanks. What the peer does not take is dropped with the connection.
  void send(std::string line);

 private:
  void close();

  int descriptor_ = -1;
  std::string pending_;  // an incomplete line
};

// Listens on a free port of the interface that `host` names, or of all interfaces where it names none of ours. Returns
// the socket; throws Error when there is none.
int listen_on(const std::string& host, int& port);

// The address of this host that a peer at `host` sees: of the interface that leads there, or, where that is this host
// itself, of the first interface that leads anywhere. "127.0.0.1" when there is none.
std::string address_towards(const std::string& host);

}  // namespace conclave
