#include "teachers/zap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "core/error.h"
#include "support/temporary_folder.h"
#include "teachers/curve.h"
#include "teachers/handshake_watch.h"

namespace conclave {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr int kPatience = 20'000;  // milliseconds, for what must happen

std::string bytes_of(const std::string& z85) {
  std::string bytes(32, '\0');
  zmq_z85_decode(reinterpret_cast<std::uint8_t*>(bytes.data()), z85.c_str());
  return bytes;
}

class Zap : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"trainer", "good", "stranger"}) write_key_pair(folder_ / name, make_key_pair());
    std::filesystem::create_directory(folder_ / "allowed");
    allow("good");
  }
  void allow(const std::string& name) const {
    std::filesystem::copy_file(folder_ / (name + ".pub"), folder_ / "allowed" / (name + ".pub"));
  }
  AllowList list() const { return AllowList({(folder_ / "allowed").string()}); }
  std::string public_of(const std::string& name) const { return load_public_key(folder_ / (name + ".pub")); }
  ZapRequest request(const std::string& name) const {
    return {"1.0", "1", kZapDomain, "10.0.0.7", "", "CURVE", {bytes_of(public_of(name))}};
  }
  WorkerKeys keys(const std::string& own, const std::string& trainer = "trainer") const {
    return {(folder_ / (own + ".key")).string(), (folder_ / (trainer + ".pub")).string()};
  }

  const TemporaryFolder folder_;
};

TEST_F(Zap, OnlyAnAllowedKeyOfOurDomainIsLetIn) {
  AllowList allowed = list();
  const ZapAnswer good = judge(request("good"), allowed, {});
  EXPECT_EQ(good.status, "200");
  EXPECT_EQ(good.user, "good");
  const auto refused = [&](const ZapRequest& asked, const std::string& why) {
    const ZapAnswer answer = judge(asked, allowed, {});
    EXPECT_NE(answer.status, "200") << why;
    EXPECT_EQ(answer.user, "");
    EXPECT_THAT(answer.text, HasSubstr(why));
  };
  refused(request("stranger"), public_of("stranger"));
  ZapRequest odd = request("good");
  odd.mechanism = "NULL";
  refused(odd, "no key");
  odd.mechanism = "PLAIN";
  refused(odd, "no key");
  odd = request("good");
  odd.domain = "other";
  refused(odd, "another service");
  odd = request("good");
  odd.version = "2.0";
  refused(odd, "version");
  for (const std::vector<std::string>& credentials : {std::vector<std::string>{},
                                                      {""},
                                                      {"short"},
                                                      {std::string(33, 'x')},
                                                      {std::string(31, '\0')},
                                                      {bytes_of(public_of("good")), "more"}}) {
    odd.version = "1.0";
    odd.credentials = credentials;
    refused(odd, "not a key");
  }
  refused({}, "version");
}

TEST_F(Zap, AKeyIsAddedAndTakenAwayWithoutARestart) {
  AllowList allowed = list();
  const TimePoint start{};
  const auto at = [&](double seconds) { return start + Seconds(1000 + seconds); };
  EXPECT_TRUE(allowed.name_of(public_of("good"), at(0)));
  EXPECT_FALSE(allowed.name_of(public_of("stranger"), at(0)));
  allow("stranger");
  std::filesystem::remove(folder_ / "allowed/good.pub");
  EXPECT_TRUE(allowed.name_of(public_of("good"), at(0.5))) << "the folder is not read for every peer";
  EXPECT_FALSE(allowed.name_of(public_of("good"), at(1.1)));
  EXPECT_EQ(allowed.name_of(public_of("stranger"), at(1.2)), "stranger");
}

TEST_F(Zap, AFileThatCannotBeReadAnyMoreTakesNobodyElseAlong) {
  EXPECT_THROW(AllowList({(folder_ / "none.pub").string()}), Error);
  AllowList allowed({(folder_ / "allowed").string(), (folder_ / "stranger.pub").string()});
  folder_.write("allowed/half.pub", "publ");
  std::filesystem::remove(folder_ / "stranger.pub");
  EXPECT_TRUE(allowed.name_of(public_of("good"), TimePoint(Seconds(10))));
  EXPECT_EQ(allowed.size(), 1u);
}

// A guarded ROUTER and what reaches it.
class Guarded : public Zap {
 protected:
  void SetUp() override {
    Zap::SetUp();
    refusals_.emplace("test");
    handler_.emplace(context_, list(), *refusals_);
    socket_.emplace(context_, zmq::socket_type::router);
    secure_server(*socket_, load_key_pair(folder_ / "trainer.key"));
    socket_->set(zmq::sockopt::linger, 0);
    socket_->set(zmq::sockopt::rcvtimeo, kPatience);
    socket_->bind("tcp://127.0.0.1:*");
    address_ = socket_->get(zmq::sockopt::last_endpoint);
  }

  struct Peer {
    Peer(const std::string& address, const WorkerKeys& keys) : socket(context, zmq::socket_type::dealer) {
      socket.set(zmq::sockopt::linger, 0);
      secure_client(socket, keys);
      watch.emplace(context, socket, keys);
      socket.connect(address);
      socket.send(zmq::buffer(std::string("let me in")), zmq::send_flags::dontwait);
    }
    ~Peer() { socket.close(); }
    std::string reason() {
      for (int waited = 0; waited < kPatience; waited += 20) {
        if (const auto why = watch->next()) return *why;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
      return {};
    }
    zmq::context_t context;
    std::optional<HandshakeWatch> watch;
    zmq::socket_t socket;
  };

  bool heard() {
    zmq::message_t peer, text;
    return socket_->recv(peer) && socket_->recv(text);
  }
  // Whatever an earlier peer sent would be there by the time that a good one has been heard.
  void expect_nothing_but_a_good_peer() {
    Peer good(address_, keys("good"));
    EXPECT_TRUE(heard());
    socket_->set(zmq::sockopt::rcvtimeo, 0);
    EXPECT_FALSE(heard());
    socket_->set(zmq::sockopt::rcvtimeo, kPatience);
  }

  zmq::context_t context_;
  std::optional<RefusalLog> refusals_;
  std::optional<ZapHandler> handler_;
  std::optional<zmq::socket_t> socket_;
  std::string address_;
};

TEST_F(Guarded, APeerWithAnAllowedKeyGetsThrough) {
  Peer good(address_, keys("good"));
  EXPECT_TRUE(heard());
  EXPECT_EQ(refusals_->count(), 0u);
}

TEST_F(Guarded, APeerWithoutAKeyGetsNothingThroughAndIsToldWhy) {
  Peer open(address_, {});
  EXPECT_THAT(open.reason(), HasSubstr("--key"));
  expect_nothing_but_a_good_peer();
}

TEST_F(Guarded, APeerWhoseKeyIsNotAllowedIsRefusedAndLoggedOnce) {
  Peer stranger(address_, keys("stranger")), again(address_, keys("stranger"));
  EXPECT_THAT(stranger.reason(), HasSubstr("does not allow the key " + (folder_ / "stranger.key").string()));
  EXPECT_THAT(again.reason(), HasSubstr("does not allow"));
  EXPECT_THAT(refusals_->entries(),
              ElementsAre("127.0.0.1: its public key is not among the allowed ones: " + public_of("stranger")));
  EXPECT_GE(refusals_->count(), 2u);
  expect_nothing_but_a_good_peer();
}

TEST_F(Guarded, APeerThatTrustsAnotherTrainerKeyGetsNothingThrough) {
  Peer misled(address_, keys("good", "stranger"));
  EXPECT_THAT(misled.reason(), HasSubstr((folder_ / "stranger.pub").string()));
  expect_nothing_but_a_good_peer();
}

TEST_F(Guarded, AKeyThatWasTakenAwayNoLongerConnects) {
  {
    Peer good(address_, keys("good"));
    EXPECT_TRUE(heard());
  }
  std::filesystem::remove(folder_ / "allowed/good.pub");
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  Peer former(address_, keys("good"));
  EXPECT_THAT(former.reason(), HasSubstr("does not allow"));
}

TEST_F(Guarded, HalfAKeyPairIsAnErrorOfTheWorker) {
  zmq::socket_t socket(context_, zmq::socket_type::dealer);
  EXPECT_THROW(secure_client(socket, {(folder_ / "good.key").string(), {}}), Error);
  EXPECT_THROW(secure_client(socket, {{}, (folder_ / "trainer.pub").string()}), Error);
}

TEST(Refusals, AreShownOncePerPeerAndReasonAndOnlySoMany) {
  RefusalLog log("test");
  for (int i = 0; i < 100; ++i) log.add("10.0.0.1", "no key");
  EXPECT_THAT(log.entries(), ElementsAre("10.0.0.1: no key"));
  EXPECT_EQ(log.count(), 100u);
  for (int i = 0; i < 100; ++i) log.add("10.0.0.1", "reason " + std::to_string(i));
  EXPECT_EQ(log.entries().size(), 4u) << "one host must leave room for others";
  for (int i = 0; i < 10000; ++i) log.add("10.1." + std::to_string(i / 256) + "." + std::to_string(i % 256), "no key");
  EXPECT_EQ(log.entries().size(), 64u);
  EXPECT_EQ(log.count(), 10200u);
}

}  // namespace
}  // namespace conclave
