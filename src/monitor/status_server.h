#pragma once

#include <functional>
#include <memory>
#include <string>

namespace conclave {

// Two pages over HTTP: GET /metrics (Prometheus) and GET /status (JSON). Read only, without secrets, and
// without keys: bind it to loopback or to a trusted network.
class StatusServer {
 public:
  struct Pages {
    std::function<std::string()> metrics, status;  // called from the server's threads, one at a time
  };

  // Listens at "HOST:PORT" (PORT 0 picks one); warns unless HOST is loopback. Throws Error (where = the address) when
  // it can't.
  StatusServer(const std::string& address, Pages pages);
  ~StatusServer();

  const std::string& address() const;  // with the port that was picked

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The body of GET http://ADDRESS/PAGE. Throws Error (where = the address) when nobody answers within `seconds`.
std::string fetch_page(const std::string& address, const std::string& page, double seconds);

}  // namespace conclave
