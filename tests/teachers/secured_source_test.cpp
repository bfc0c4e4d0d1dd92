#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>
#include <zmq.hpp>

#include "core/error.h"
#include "teachers/curve.h"
#include "teachers/frame.h"
#include "teachers/local_source.h"
#include "teachers/remote_source.h"
#include "teachers/small_world.h"
#include "teachers/worker.h"

namespace conclave {
namespace {

using testing::HasSubstr;

// One teacher, a trainer with keys, and workers with and without.
class SecuredSource : public SmallWorld {
 protected:
  void SetUp() override {
    SmallWorld::SetUp();
    for (const char* name : {"trainer", "workers/good", "stranger"}) write_key_pair(folder_ / name, make_key_pair());
    RemoteOptions options;
    options.lease_views = 3;
    options.heartbeat_seconds = 0.2;
    options.keys.secret = (folder_ / "trainer.key").string();
    options.keys.allow = {(folder_ / "workers").string()};
    const Engine engine(weights("rbc"), {});
    source_ = RemoteSource::open(options, {{"rbc", engine.hash(), engine.classes(), {}}}, views_, sparse_);
  }
  WorkerOptions worker(const std::string& key, const std::string& trainer) const {
    WorkerOptions options;
    options.connect = source_->address();
    options.teachers = {{"rbc", weights("rbc")}};
    if (!key.empty()) options.keys.secret = (folder_ / (key + ".key")).string();
    if (!trainer.empty()) options.keys.trainer = (folder_ / (trainer + ".pub")).string();
    return options;
  }
  // What such a worker says in the end.
  std::string error_of(WorkerOptions options) const {
    options.connect_timeout = 3;
    try {
      run_worker(options, [] { return false; });
    } catch (const Error& error) {
      return error.what();
    }
    return "it was let in";
  }

  // A worker with this key answers as a local source does.
  void expect_answers_from(const std::string& key) {
    std::atomic<bool> stop{false};
    std::thread thread([&] { run_worker(worker(key, "trainer"), [&] { return stop.load(); }); });
    for (int i = 0; i < 4; ++i) source_->ask(request(i));
    source_->flush();
    std::vector<std::unique_ptr<Engine>> engines;
    engines.push_back(std::make_unique<Engine>(weights("rbc"), EngineOptions{}));
    const auto local = make_local_source(std::move(engines), views_, sparse_, 3);
    for (int i = 0; i < 4; ++i) local->ask(request(i));
    local->flush();
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(source_->take() == local->take()) << key << i;
    stop = true;
    thread.join();
  }

  std::unique_ptr<RemoteSource> source_;
};

TEST_F(SecuredSource, AWorkerWithAnAllowedKeySaysWhatALocalSourceSaysAndTheTrainersOwnIsAllowed) {
  for (const char* key : {"workers/good", "trainer"}) expect_answers_from(key);
}

TEST_F(SecuredSource, GarbageFromAPeerWithAnAllowedKeyChangesNothing) {
  const WorkerKeys keys = worker("workers/good", "trainer").keys;
  zmq::context_t outside;
  zmq::socket_t peer(outside, zmq::socket_type::dealer);
  peer.set(zmq::sockopt::linger, 0);
  peer.set(zmq::sockopt::rcvtimeo, 60'000);
  secure_client(peer, keys);
  peer.connect(source_->address());
  const std::string hello = encode(Hello{7, "hostile", {{"rbc", std::string(64, '0'), {"RBC"}, {}}}});
  std::vector<std::string> garbage = {"", std::string(400, 'x'), encode(Welcome{}), encode(Goodbye{}),
                                      encode(Result{1, 1, 1, {"record"}})};
  for (std::size_t size = 0; size <= hello.size(); ++size) garbage.push_back(hello.substr(0, size));
  for (const std::string& bytes : garbage) peer.send(zmq::buffer(bytes), zmq::send_flags::none);
  peer.send(zmq::buffer(hello), zmq::send_flags::sndmore);
  peer.send(zmq::buffer(std::string("in two parts")), zmq::send_flags::none);
  zmq::message_t answer;
  bool refused = false;  // the whole hello: what came before it has arrived
  while (!refused && peer.recv(answer)) refused = std::holds_alternative<Refusal>(parse_frame(answer.to_string_view()));
  EXPECT_TRUE(refused);
  EXPECT_EQ(source_->stats().workers, std::vector<int>{0});
  expect_answers_from("workers/good");
}

TEST_F(SecuredSource, AWorkerThatIsNotLetInIsToldWhyAndCountsAsNone) {
  EXPECT_THAT(error_of(worker("", "")), HasSubstr("--trainer-key"));
  EXPECT_THAT(error_of(worker("stranger", "trainer")), HasSubstr("does not allow the key"));
  EXPECT_THAT(error_of(worker("workers/good", "stranger")), HasSubstr("stranger.pub its public key"));
  EXPECT_THAT(error_of(worker("workers/good", "")), HasSubstr("belong together"));
  EXPECT_EQ(source_->stats().workers, std::vector<int>{0});
}

}  // namespace
}  // namespace conclave
