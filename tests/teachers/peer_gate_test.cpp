#include "teachers/peer_gate.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/error.h"
#include "support/temporary_folder.h"
#include "teachers/curve.h"

namespace conclave {
namespace {

using testing::HasSubstr;

constexpr int kPatience = 30'000;  // milliseconds, for what must happen

void wait_until(const std::function<bool()>& condition, const char* what) {
  for (int waited = 0; waited < kPatience; waited += 10) {
    if (condition()) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  FAIL() << "waited in vain for: " << what;
}

// A bare TCP connection that says these bytes and no more.
class RawPeer {
 public:
  RawPeer(const std::string& address, const std::string& bytes = {}) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
    say(bytes);
  }
  RawPeer(RawPeer&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~RawPeer() {
    if (fd_ >= 0) ::close(fd_);
  }
  void say(const std::string& bytes) { (void)!::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }
  // The other side has closed the connection; what it said before is dropped.
  bool ended() {
    pollfd item{fd_, POLLIN, 0};
    char buffer[4096];
    while (::poll(&item, 1, 0) > 0) {
      if (::recv(fd_, buffer, sizeof buffer, 0) <= 0) return true;
    }
    return false;
  }

 private:
  int fd_;
};

std::string greeting(const std::string& mechanism) {
  std::string bytes = std::string("\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01", 12) + mechanism;
  bytes.resize(64, '\0');
  return bytes;
}

class Gate : public testing::Test {
 protected:
  void open(const GateOptions& options) {
    socket_.emplace(context_, zmq::socket_type::router);
    socket_->set(zmq::sockopt::maxmsgsize, std::int64_t{1} << 20);
    gate_.emplace(context_, *socket_, "tcp://127.0.0.1:*", options);
    socket_->set(zmq::sockopt::linger, 0);
    socket_->set(zmq::sockopt::rcvtimeo, kPatience);
    socket_->bind("tcp://127.0.0.1:*");
    address_ = socket_->get(zmq::sockopt::last_endpoint);
  }
  GateOptions with_keys() {
    for (const char* name : {"trainer", "worker"}) write_key_pair(folder_ / name, make_key_pair());
    GateOptions options;
    options.keys.secret = (folder_ / "trainer.key").string();
    options.keys.allow = {(folder_ / "worker.pub").string()};
    return options;
  }
  zmq::socket_t connect(const WorkerKeys& keys = {}) {
    zmq::socket_t peer(outside_, zmq::socket_type::dealer);
    peer.set(zmq::sockopt::linger, 0);
    peer.set(zmq::sockopt::rcvtimeo, kPatience);
    secure_client(peer, keys);
    peer.connect(address_);
    return peer;
  }
  WorkerKeys worker_keys() const { return {(folder_ / "worker.key").string(), (folder_ / "trainer.pub").string()}; }
  // A round trip; the peer is admitted on the way, as the trainer does after a good hello.
  void admit(zmq::socket_t& peer) {
    peer.send(zmq::buffer(std::string("hello")), zmq::send_flags::none);
    zmq::message_t name, text;
    ASSERT_TRUE(socket_->recv(name));
    ASSERT_TRUE(socket_->recv(text));
    gate_->admit(text);
    answer(name.to_string());
    ASSERT_TRUE(peer.recv(text));
    name_ = name.to_string();
  }
  void answer(const std::string& name) {
    socket_->send(zmq::buffer(name), zmq::send_flags::sndmore);
    socket_->send(zmq::buffer(std::string("welcome")), zmq::send_flags::none);
  }
  void TearDown() override {
    if (socket_) socket_->close();
  }

  const TemporaryFolder folder_;
  zmq::context_t context_, outside_;
  std::optional<PeerGate> gate_;
  std::optional<zmq::socket_t> socket_;
  std::string address_, name_;
};

TEST_F(Gate, OpensOnlyForAllowedKeysAndForTheTrainersOwn) {
  open(with_keys());
  zmq::socket_t worker = connect(worker_keys());
  admit(worker);
  zmq::socket_t local = connect({(folder_ / "trainer.key").string(), (folder_ / "trainer.pub").string()});
  admit(local);
  EXPECT_EQ(gate_->refused(), 0u);
  zmq::socket_t open = connect();
  wait_until([&] { return gate_->refused() > 0; }, "the refusal of a peer without a key");
  EXPECT_THAT(gate_->refusals(), testing::Contains(HasSubstr("key")));
}

TEST_F(Gate, RefusesToOpenToOtherHostsWithoutKeysOrToMessagesOfAnySize) {
  zmq::socket_t socket(context_, zmq::socket_type::router);
  EXPECT_THROW(PeerGate(context_, socket, "tcp://127.0.0.1:*", {}), Error) << "any message size";
  socket.set(zmq::sockopt::maxmsgsize, std::int64_t{1} << 20);
  EXPECT_THROW(PeerGate(context_, socket, "tcp://*:*", {}), Error);
}

TEST_F(Gate, EndsTheOldestIdleConnectionsAndKeepsWorkers) {
  GateOptions options;
  options.max_waiting = 20;
  options.handshake_seconds = 600;  // only the bound ends them here
  open(options);
  zmq::socket_t worker = connect();
  admit(worker);
  std::vector<RawPeer> idle;
  for (int i = 0; i < 200; ++i) idle.emplace_back(address_);
  const auto ended = [&] {
    return std::count_if(idle.begin(), idle.end(), [](RawPeer& peer) { return peer.ended(); });
  };
  wait_until([&] { return ended() >= 180; }, "the end of 180 of 200 connections");
  EXPECT_EQ(ended(), 180);
  EXPECT_FALSE(idle.back().ended()) << "the youngest may still become a worker";
  answer(name_);
  zmq::message_t text;
  EXPECT_TRUE(worker.recv(text)) << "the worker's connection was there first and must stay";
  EXPECT_EQ(gate_->refused(), 180u);
  zmq::socket_t late = connect();
  admit(late);
}

TEST_F(Gate, EndsAConnectionThatDoesNotShakeHands) {
  GateOptions options = with_keys();
  options.handshake_seconds = 0.3;
  open(options);
  RawPeer silent(address_), half(address_, greeting("CURVE").substr(0, 20)), whole(address_, greeting("CURVE"));
  wait_until([&] { return silent.ended() && half.ended() && whole.ended(); }, "the end of the handshakes");
  wait_until([&] { return gate_->refused() >= 3; }, "three refusals");
  EXPECT_THAT(gate_->refusals(), testing::Contains("127.0.0.1: no handshake within 0.3 s"));
}

TEST_F(Gate, SurvivesGarbageBeforeDuringAndAfterTheHandshake) {
  open(with_keys());
  zmq::socket_t worker = connect(worker_keys());
  admit(worker);
  const std::string hello = std::string("\x04\xc8\x05HELLO\x01\x00", 10) + std::string(192, 'x');
  std::vector<std::string> attacks = {std::string(500, 'x'),
                                      "GET / HTTP/1.1\r\nHost: trainer\r\n\r\n",
                                      std::string("\x16\x03\x01\x02\x00\x01\x00", 7) + std::string(400, '\x01'),
                                      greeting("CURVE") + std::string(400, 'z'),
                                      greeting("CURVE") + std::string("\x06\x7f\xff\xff\xff\xff\xff\xff\xff", 9),
                                      greeting("CURVE") + hello,
                                      greeting("CURVE") + std::string("\x04\x29\x05READY", 8) + std::string(35, '\0'),
                                      greeting("NULL") + std::string("\x04\x05\x05READY", 8),
                                      greeting("PLAIN") + std::string("\x04\x08\x05HELLO\0\0", 10),
                                      greeting("NOSUCH")};
  std::vector<RawPeer> peers;
  for (const std::string& attack : attacks) peers.emplace_back(address_, attack);
  wait_until([&] { return gate_->refused() >= peers.size(); }, "the end of every attack");
  for (std::size_t i = 0; i < peers.size(); ++i) EXPECT_TRUE(peers[i].ended()) << i;
  answer(name_);
  zmq::message_t text;
  EXPECT_TRUE(worker.recv(text));
  socket_->set(zmq::sockopt::rcvtimeo, 0);
  EXPECT_FALSE(socket_->recv(text)) << "nothing of it may reach the trainer";
}

}  // namespace
}  // namespace conclave
