#include "monitor/status_server.h"

#include <httplib.h>

#include <charconv>
#include <mutex>
#include <thread>

#include "core/error.h"
#include "core/log.h"

namespace conclave {
namespace {

constexpr std::size_t kThreads = 2;
constexpr time_t kPatienceSeconds = 5;  // for a client that reads or writes slowly

struct Endpoint {
  std::string host;
  int port = 0;
};

Endpoint endpoint_of(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  Endpoint endpoint;
  if (colon != std::string::npos) {
    endpoint.host = address.substr(0, colon);
    const char* end = address.c_str() + address.size();
    const auto [stop, code] = std::from_chars(address.c_str() + colon + 1, end, endpoint.port);
    if (stop == end && code == std::errc() && endpoint.port >= 0 && endpoint.port < 65536 && !endpoint.host.empty()) {
      return endpoint;
    }
  }
  throw Error("is not HOST:PORT", address, "127.0.0.1:0 picks a free port, say", Exit::kUsage);
}

bool is_loopback(const std::string& host) {
  return host.starts_with("127.") || host == "localhost" || host == "::1" || host == "[::1]";
}

}  // namespace

struct StatusServer::State {
  httplib::Server server;
  Pages pages;
  std::mutex mutex;  // one page at a time
  std::string address;
  std::thread thread;
};

StatusServer::StatusServer(const std::string& address, Pages pages) : state_(std::make_unique<State>()) {
  State& state = *state_;
  state.pages = std::move(pages);
  state.server.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
  state.server.set_read_timeout(kPatienceSeconds);
  state.server.set_write_timeout(kPatienceSeconds);
  state.server.set_keep_alive_max_count(1);
  state.server.set_payload_max_length(1024);
  // Without the library's SO_REUSEPORT: two programs on one port would share its callers.
  state.server.set_socket_options([](socket_t socket) {
    const int yes = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
  const auto serve = [&state](const char* path, const char* type, const std::function<std::string()>& page) {
    state.server.Get(path, [&state, &page, type](const httplib::Request&, httplib::Response& response) {
      std::lock_guard lock(state.mutex);
      response.set_content(page(), type);
    });
  };
  serve("/metrics", "text/plain; version=0.0.4", state.pages.metrics);
  serve("/status", "application/json", state.pages.status);
  const Endpoint endpoint = endpoint_of(address);
  const int port = endpoint.port == 0 ? state.server.bind_to_any_port(endpoint.host)
                   : state.server.bind_to_port(endpoint.host, endpoint.port) ? endpoint.port
                                                                             : -1;
  if (port < 0) throw Error("can't listen here", address, "another program may use the port; port 0 picks a free one");
  state.address = endpoint.host + ":" + std::to_string(port);
  if (!is_loopback(endpoint.host)) {
    log::warn("the status pages at {} show names of runs, teachers and hosts to everybody who reaches this address",
              state.address);
  }
  state.thread = std::thread([&state] { state.server.listen_after_bind(); });
  // stop() does nothing before this.
  while (!state.server.is_running()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

StatusServer::~StatusServer() {
  state_->server.stop();
  state_->thread.join();
}

const std::string& StatusServer::address() const {
  return state_->address;
}

std::string fetch_page(const std::string& address, const std::string& page, double seconds) {
  const Endpoint endpoint = endpoint_of(address);
  httplib::Client client(endpoint.host, endpoint.port);
  const auto patience = std::chrono::milliseconds(static_cast<int>(seconds * 1000));
  client.set_connection_timeout(patience);
  client.set_read_timeout(patience);
  const httplib::Result answer = client.Get("/" + page);
  if (!answer)
    throw Error("nobody answers: " + httplib::to_string(answer.error()), address,
                "is the run over? status.json in its folder names the address while it goes on");
  if (answer->status != 200) throw Error("answers with HTTP status " + std::to_string(answer->status), address);
  return answer->body;
}

}  // namespace conclave
