#include "ranks/supervision.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <map>
#include <mutex>
#include <random>
#include <sstream>
#include <thread>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/log.h"
#include "ranks/line_socket.h"

namespace conclave {
namespace {

using Instant = std::chrono::steady_clock::time_point;

constexpr double kGraceSeconds = 10;  // to leave by itself after a loss

Instant now() {
  return std::chrono::steady_clock::now();
}

double since(Instant then) {
  return std::chrono::duration<double>(now() - then).count();
}

std::string random_token() {
  std::random_device device;
  std::ostringstream text;
  for (int i = 0; i < 4; ++i) text << std::hex << device();
  return text.str();
}

std::string name_of(int rank) {
  return "rank " + std::to_string(rank);
}

// The first word of a line; the line keeps the rest.
std::string take_word(std::string& line) {
  const std::size_t end = std::min(line.find(' '), line.size());
  const std::string word = line.substr(0, end);
  line.erase(0, std::min(end + 1, line.size()));
  return word;
}

struct Peer {
  LineSocket socket;
  std::vector<std::string> unread = {};  // lines that came right behind the hello
  Instant heard = now();
};

}  // namespace

// Lines: "hello TOKEN RANK" (first, to rank 0), "beat", "bye", "failed WHY", "lost WHAT" (from rank 0).
struct Supervision::State {
  RanksOptions options;
  World world;
  OnLoss on_loss;
  std::string address, token;
  int listening = -1;  // rank 0
  int wake = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  std::map<int, Peer> peers;    // by rank: all others for rank 0, rank 0 for all others; of the thread
  std::vector<Peer> strangers;  // have not said hello; of the thread
  Instant started = now();
  Instant lost_at;         // of the thread
  std::vector<bool> seen;  // by rank, for rank 0; of the thread
  mutable std::mutex mutex;
  mutable std::condition_variable changed;
  std::optional<std::string> loss;      // guarded by mutex
  std::optional<std::string> farewell;  // set: the thread sends it and ends; guarded by mutex
  std::thread thread;

  ~State() {
    if (listening >= 0) ::close(listening);
    ::close(wake);
  }

  void begin() {
    seen.assign(static_cast<std::size_t>(world.size), false);
    thread = std::thread([this] { watch(); });
  }

  void leave(const std::string& line) {
    {
      std::lock_guard lock(mutex);
      if (!farewell) farewell = line;
    }
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(wake, &one, sizeof one);
  }

  void watch() {
    Instant beat_at = now();
    for (;;) {
      wait_for_lines(options.heartbeat_seconds / 4);
      if (listening >= 0) accept_strangers();
      for (Peer& stranger : strangers) greet(stranger);
      std::erase_if(strangers,
                    [&](const Peer& p) { return !p.socket.open() || since(p.heard) > options.lost_seconds; });
      hear_peers();
      if (since(beat_at) >= options.heartbeat_seconds) {
        for (auto& [rank, peer] : peers) peer.socket.send("beat");
        beat_at = now();
      }
      std::lock_guard lock(mutex);
      if (farewell) {
        for (auto& [rank, peer] : peers) peer.socket.send(*farewell);
        return;
      }
      if (loss && since(lost_at) > kGraceSeconds) {
        log::error("{}; this rank did not leave within {} s and is ended", *loss, kGraceSeconds);
        std::_Exit(static_cast<int>(Exit::kRankLost));
      }
    }
  }

  void wait_for_lines(double seconds) {
    std::vector<pollfd> waiting = {{wake, POLLIN, 0}};
    if (listening >= 0) waiting.push_back({listening, POLLIN, 0});
    for (const auto& [rank, peer] : peers) waiting.push_back({peer.socket.descriptor(), POLLIN, 0});
    for (const Peer& stranger : strangers) waiting.push_back({stranger.socket.descriptor(), POLLIN, 0});
    ::poll(waiting.data(), waiting.size(), std::max(1, static_cast<int>(seconds * 1000)));
  }

  void accept_strangers() {
    for (int descriptor; (descriptor = ::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) {
      if (strangers.size() < static_cast<std::size_t>(world.size) + 16) {
        strangers.push_back({LineSocket(descriptor)});
      } else {
        ::close(descriptor);
      }
    }
  }

  // A stranger who knows the token becomes a peer.
  void greet(Peer& stranger) {
    std::vector<std::string> lines = stranger.socket.receive();
    if (lines.empty()) return;
    std::string hello = lines.front();
    const bool knows = take_word(hello) == "hello" && take_word(hello) == token;
    const int rank = knows ? std::atoi(hello.c_str()) : 0;
    if (rank <= 0 || rank >= world.size || seen[static_cast<std::size_t>(rank)]) {
      stranger.socket = LineSocket(-1);
      return;
    }
    seen[static_cast<std::size_t>(rank)] = true;
    lines.erase(lines.begin());
    Peer& peer = peers.insert_or_assign(rank, Peer{std::move(stranger.socket), std::move(lines)}).first->second;
    if (std::lock_guard lock(mutex); loss) peer.socket.send("lost " + *loss);
  }

  void hear_peers() {
    std::vector<std::pair<int, std::string>> lost;
    for (auto it = peers.begin(); it != peers.end();) {
      auto& [rank, peer] = *it;
      std::optional<std::string> gone;
      std::vector<std::string> lines = std::exchange(peer.unread, {});
      for (std::string& line : peer.socket.receive()) lines.push_back(std::move(line));
      for (std::string& line : lines) {
        peer.heard = now();
        const std::string word = take_word(line);
        if (word == "bye") gone = "";
        if (word == "failed") gone = name_of(rank) + " left: " + line;
        if (word == "lost") gone = line;
      }
      if (!gone && !peer.socket.open()) gone = name_of(rank) + " died: its connection closed";
      if (!gone && since(peer.heard) > options.lost_seconds) {
        gone = name_of(rank) + " hangs or is cut off: no sign of life for " +
               std::to_string(static_cast<int>(since(peer.heard))) + " s";
      }
      if (gone && !gone->empty()) lost.emplace_back(rank, *gone);
      it = gone ? peers.erase(it) : std::next(it);
    }
    if (listening >= 0 && since(started) > options.start_seconds) {
      for (int rank = 1; rank < world.size; ++rank) {
        if (!seen[static_cast<std::size_t>(rank)]) lost.emplace_back(rank, name_of(rank) + " did not start");
        seen[static_cast<std::size_t>(rank)] = true;
      }
    }
    for (const auto& [rank, what] : lost) report(what);
  }

  void report(const std::string& what) {
    {
      std::lock_guard lock(mutex);
      if (loss || farewell) return;
      loss = what;
      lost_at = now();
    }
    if (listening >= 0) {
      for (auto& [rank, peer] : peers) peer.socket.send("lost " + what);
    }
    changed.notify_all();
    if (on_loss) on_loss(what);
  }
};

Supervision::Supervision(std::unique_ptr<State> state) : state_(std::move(state)) {}

std::unique_ptr<Supervision> Supervision::lead(const World& world, const RanksOptions& options, OnLoss on_loss) {
  auto state = std::make_unique<State>();
  state->options = options;
  state->world = world;
  state->on_loss = std::move(on_loss);
  state->token = random_token();
  int port = 0;
  state->listening = listen_on(world.host, port);
  state->address = world.host + ":" + std::to_string(port) + ":" + state->token;
  state->begin();
  return std::unique_ptr<Supervision>(new Supervision(std::move(state)));
}

std::unique_ptr<Supervision> Supervision::follow(const World& world, const RanksOptions& options,
                                                 const std::string& address, OnLoss on_loss) {
  const std::size_t token = address.rfind(':'), port = address.rfind(':', token - 1);
  if (token == std::string::npos || port == std::string::npos) throw Error("no address of rank 0", address);
  auto state = std::make_unique<State>();
  state->options = options;
  state->world = world;
  state->on_loss = std::move(on_loss);
  state->address = address;
  LineSocket socket(address.substr(0, port), std::atoi(address.c_str() + port + 1), options.start_seconds);
  socket.send("hello " + address.substr(token + 1) + " " + std::to_string(world.rank));
  state->peers.insert_or_assign(0, Peer{std::move(socket)});
  state->begin();
  return std::unique_ptr<Supervision>(new Supervision(std::move(state)));
}

Supervision::~Supervision() {
  state_->leave("bye");
  state_->thread.join();
}

const std::string& Supervision::address() const {
  return state_->address;
}

void Supervision::fail(const std::string& why) {
  state_->leave("failed " + why);
}

std::optional<std::string> Supervision::loss() const {
  std::lock_guard lock(state_->mutex);
  return state_->loss;
}

std::optional<std::string> Supervision::await_loss(double seconds) const {
  std::unique_lock lock(state_->mutex);
  state_->changed.wait_for(lock, std::chrono::duration<double>(seconds), [&] { return state_->loss.has_value(); });
  return state_->loss;
}

}  // namespace conclave
