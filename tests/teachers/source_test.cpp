#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <functional>
#include <map>
#include <thread>
#include <zmq.hpp>

#include "core/error.h"
#include "teachers/frame.h"
#include "teachers/local_source.h"
#include "teachers/remote_source.h"
#include "teachers/small_world.h"
#include "teachers/transport.h"
#include "teachers/worker.h"

namespace conclave {
namespace {

using Targets = std::vector<std::vector<SoftTargets>>;

// A worker on a thread of this process. Its error, if any, is kept.
class WorkerThread {
 public:
  explicit WorkerThread(WorkerOptions options) : options_(std::move(options)) {
    thread_ = std::thread([this] {
      try {
        report_ = run_worker(options_, [this] { return stop_.load(); });
      } catch (const Error& error) {
        error_ = error.what();
      }
      ended_ = true;
    });
  }
  ~WorkerThread() { stop(); }
  void stop() {
    stop_ = true;
    join();
  }
  void join() {
    if (thread_.joinable()) thread_.join();
  }
  bool ended() const { return ended_; }
  const std::string& error() const { return error_; }     // after join()
  const WorkerReport& report() const { return report_; }  // after join()

 private:
  const WorkerOptions options_;
  std::atomic<bool> stop_{false}, ended_{false};
  std::string error_;
  WorkerReport report_;
  std::thread thread_;
};

class Sources : public SmallWorld {
 protected:
  std::vector<ExpectedTeacher> expected() const {
    std::vector<ExpectedTeacher> teachers;
    for (const char* name : {"rbc", "wbc"}) {
      const Engine engine(weights(name), {});
      teachers.push_back({name, engine.hash(), engine.classes(), {}});
    }
    return teachers;
  }

  RemoteOptions options(const std::string& bind) const {
    RemoteOptions options;
    options.bind = bind;
    options.lease_views = 3;
    options.heartbeat_seconds = 0.2;
    options.stall_timeout = 60;
    return options;
  }

  WorkerOptions worker(const std::string& address, const std::string& name) const {
    WorkerOptions options;
    options.connect = address;
    options.teachers = {{name, weights(name)}};
    options.connect_timeout = 20;
    return options;
  }

  // Keeps a window of 8 views, as the trainer does. `middle` is called after half of the views.
  Targets drain(
      TargetSource& source, int views, const std::function<void()>& middle = [] {}) const {
    Targets targets;
    int asked = 0;
    for (int i = 0; i < views; ++i) {
      while (asked < views && asked < i + 8) source.ask(request(asked++));
      if (asked == views) source.flush();
      if (i == views / 2) middle();
      targets.push_back(source.take());
    }
    return targets;
  }

  Targets local(int views, int batch = 3) const {
    std::vector<std::unique_ptr<Engine>> engines;
    for (const char* name : {"rbc", "wbc"}) engines.push_back(std::make_unique<Engine>(weights(name), EngineOptions{}));
    auto source = make_local_source(std::move(engines), views_, sparse_, batch);
    return drain(*source, views);
  }
};

// A peer that speaks frames but is no worker: what it says is up to the test.
class FakePeer {
 public:
  explicit FakePeer(const std::string& address)
      : context_(context_for(address)), socket_(*context_, zmq::socket_type::dealer) {
    socket_.set(zmq::sockopt::linger, 200);
    socket_.set(zmq::sockopt::rcvtimeo, 10000);
    socket_.connect(address);
  }
  void say(const std::string& bytes) { socket_.send(zmq::buffer(bytes)); }
  // The next frame of this type; others are passed over.
  template <class T>
  T hear() {
    zmq::message_t message;
    while (socket_.recv(message)) {
      const Frame frame = parse_frame(message.to_string_view());
      if (const T* found = std::get_if<T>(&frame)) return *found;
    }
    throw Error("no such frame within 10 s", "test");
  }
  static Hello hello_of(const Engine& engine, const std::string& name) {
    return {99, "fake", {{name, engine.hash(), engine.classes(), engine.options()}}};
  }

 private:
  std::shared_ptr<zmq::context_t> context_;
  zmq::socket_t socket_;
};

TEST_F(Sources, TheBatchSizeDoesNotChangeWhatTeachersSay) {
  const Targets targets = local(10, 3);
  EXPECT_TRUE(targets == local(10, 1));
  EXPECT_TRUE(targets == local(10, 4));
  EXPECT_TRUE(targets == local(10, 10));
  ASSERT_EQ(targets[0].size(), 2u);
  EXPECT_EQ(targets[0][1].channels.size(), 2u);
  EXPECT_GT(targets[0][0].channels[0].cells.size(), 0u);
  EXPECT_FALSE(targets[0] == targets[1]);
}

TEST_F(Sources, AnEngineAnswersAViewTheSameInBatchesOfEverySize) {
  Engine engine(weights("wbc"), {});
  std::vector<View> views;
  for (int i = 0; i < 17; ++i) {
    ImageEntry image;
    image.path = request(i).path;
    image.width = request(i).width;
    image.height = request(i).height;
    views.push_back(draw_view(image, request(i).key, views_));
  }
  const HeadOutputs all = engine.run(views);
  for (std::int64_t i = 0; i < 17; ++i) {
    const HeadOutputs one = engine.run({views[static_cast<std::size_t>(i)]});
    EXPECT_TRUE(one.heat.equal(all.heat.narrow(0, i, 1))) << i;
    EXPECT_TRUE(one.wh.equal(all.wh.narrow(0, i, 1))) << i;
    EXPECT_TRUE(one.offset.equal(all.offset.narrow(0, i, 1))) << i;
  }
}

TEST_F(Sources, ARemoteSourceSaysWhatALocalOneSaysOverEveryTransport) {
  const Targets truth = local(20);
  for (const std::string& bind :
       {std::string("inproc://sources"), "ipc://" + (folder_ / "socket").string(), std::string("tcp://127.0.0.1:*")}) {
    auto source = RemoteSource::open(options(bind), expected(), views_, sparse_);
    WorkerThread rbc(worker(source->address(), "rbc")), wbc(worker(source->address(), "wbc"));
    EXPECT_TRUE(drain(*source, 20) == truth) << bind;
    const SourceStats stats = source->stats();
    EXPECT_EQ(stats.views, 20u);
    EXPECT_EQ(stats.bytes, stats.bytes_per_teacher[0] + stats.bytes_per_teacher[1]);
    EXPECT_GT(stats.bytes_per_teacher[0], 0u);
    EXPECT_EQ(stats.workers, (std::vector<int>{1, 1}));
    source.reset();  // its goodbye ends the workers
    rbc.join();
    wbc.join();
    EXPECT_EQ(rbc.error(), "");
    EXPECT_EQ(rbc.report().views, 20u);
    EXPECT_EQ(rbc.report().leases, 7u);
    EXPECT_EQ(rbc.report().bytes, stats.bytes_per_teacher[0]);
  }
}

TEST_F(Sources, AgreeOnViewsOfSeveralImagesAndEveryAugmentation) {
  const Targets basic = local(12);
  views_.hue = 0.1;
  views_.grey = views_.blur = views_.erase = views_.mosaic = views_.mix = 0.5;
  const Targets truth = local(12);
  EXPECT_FALSE(truth == basic);
  auto source = RemoteSource::open(options("tcp://127.0.0.1:*"), expected(), views_, sparse_);
  WorkerThread rbc(worker(source->address(), "rbc")), wbc(worker(source->address(), "wbc"));
  EXPECT_TRUE(drain(*source, 12) == truth);
}

TEST_F(Sources, ManyWorkersOfWhichOneVanishesSayTheSame) {
  const Targets truth = local(30);
  auto source = RemoteSource::open(options("tcp://127.0.0.1:*"), expected(), views_, sparse_);
  auto thief = std::make_unique<FakePeer>(source->address());
  thief->say(encode(FakePeer::hello_of(Engine(weights("rbc"), {}), "rbc")));
  thief->say(encode(Credit{thief->hear<Welcome>().session, 2, 1u << 20}));
  std::vector<std::unique_ptr<WorkerThread>> workers;
  for (const char* name : {"rbc", "rbc", "rbc", "wbc"}) {
    workers.push_back(std::make_unique<WorkerThread>(worker(source->address(), name)));
  }
  for (int i = 0; i < 3; ++i) source->ask(request(i));
  EXPECT_EQ(thief->hear<Lease>().views.size(), 3u);
  thief.reset();  // with its lease, without a goodbye

  Targets targets;
  int asked = 3;
  for (int i = 0; i < 30; ++i) {
    while (asked < 30 && asked < i + 8) source->ask(request(asked++));
    if (asked == 30) source->flush();
    if (i == 15) workers[0]->stop();
    targets.push_back(source->take());
  }
  EXPECT_TRUE(targets == truth);
  EXPECT_GE(source->stats().leases_reissued, 1u);
}

TEST_F(Sources, AnInvalidResultEndsItsWorkerAndAnotherAnswers) {
  auto source = RemoteSource::open(options("inproc://liar"), expected(), views_, sparse_);
  FakePeer liar(source->address());
  liar.say(encode(FakePeer::hello_of(Engine(weights("rbc"), {}), "rbc")));
  const Welcome welcome = liar.hear<Welcome>();
  liar.say(encode(Credit{welcome.session, 1, 1u << 20}));
  for (int i = 0; i < 3; ++i) source->ask(request(i));
  const Lease lease = liar.hear<Lease>();
  liar.say(encode(Result{welcome.session, lease.id, lease.token, {"a", "b", "c"}}));
  EXPECT_NE(liar.hear<Refusal>().reason.find("can't be read"), std::string::npos);
  WorkerThread rbc(worker(source->address(), "rbc")), wbc(worker(source->address(), "wbc"));
  EXPECT_TRUE((Targets{source->take(), source->take(), source->take()}) == local(3));
}

TEST_F(Sources, BytesOfStrangersAreIgnored) {
  auto source = RemoteSource::open(options("tcp://127.0.0.1:*"), expected(), views_, sparse_);
  FakePeer stranger(source->address());
  CounterRandom random(1);
  for (int i = 0; i < 500; ++i) {
    std::string bytes(random.below(300), ' ');
    for (char& byte : bytes) byte = static_cast<char>(random.next());
    stranger.say(bytes);
  }
  stranger.say(encode(Result{1, 2, 3, {"x"}}));
  stranger.hear<Stranger>();
  WorkerThread rbc(worker(source->address(), "rbc")), wbc(worker(source->address(), "wbc"));
  EXPECT_TRUE(drain(*source, 6) == local(6));
}

TEST_F(Sources, WorkersThatDoNotFitAreToldWhy) {
  auto source = RemoteSource::open(options("inproc://refusals"), expected(), views_, sparse_);
  const auto refused = [&](WorkerOptions options, const std::string& word) {
    WorkerThread thread(std::move(options));
    thread.join();
    EXPECT_NE(thread.error().find(word), std::string::npos) << thread.error();
  };
  WorkerOptions misfit = worker(source->address(), "rbc");
  misfit.teachers[0].name = "bus";
  refused(misfit, "no teacher 'bus'");
  misfit = worker(source->address(), "rbc");
  misfit.engine.threads = 2;
  refused(misfit, "2 threads");
  misfit = worker(source->address(), "wbc");
  misfit.teachers[0].name = "rbc";
  refused(misfit, "classes");
  make_teacher("other", {"RBC"}, 77);
  misfit = worker(source->address(), "other");
  misfit.teachers[0].name = "rbc";
  refused(misfit, "same file");

  FakePeer old(source->address());
  std::string hello = encode(FakePeer::hello_of(Engine(weights("rbc"), {}), "rbc"));
  hello[4] = 1;
  old.say(hello);
  EXPECT_NE(old.hear<Refusal>().reason.find("protocol version 1"), std::string::npos);
}

TEST_F(Sources, AnUnreadableImageIsNamedWithTeacherAndWorker) {
  std::ofstream(image_path(1), std::ios::binary) << "not an image";
  auto source = RemoteSource::open(options("inproc://unreadable"), expected(), views_, sparse_);
  WorkerThread rbc(worker(source->address(), "rbc"));
  try {
    drain(*source, 3);
    FAIL();
  } catch (const Error& error) {
    const std::string what = error.what();
    EXPECT_NE(what.find("1.jpg"), std::string::npos) << what;
    EXPECT_NE(what.find("'rbc'"), std::string::npos) << what;
    EXPECT_NE(what.find("worker"), std::string::npos) << what;
  }
  std::vector<std::unique_ptr<Engine>> engines;
  engines.push_back(std::make_unique<Engine>(weights("rbc"), EngineOptions{}));
  auto alone = make_local_source(std::move(engines), views_, sparse_, 3);
  EXPECT_THROW(drain(*alone, 3), Error);
}

TEST_F(Sources, ATeacherWithoutAWorkerStallsAndSaysHowToStartOne) {
  RemoteOptions quick = options("tcp://127.0.0.1:*");
  quick.stall_timeout = 0.3;
  quick.stall_notice = 0.1;
  auto source = RemoteSource::open(quick, expected(), views_, sparse_);
  source->ask(request(0));
  try {
    source->take();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::kStalled);
    EXPECT_NE(std::string(error.what()).find("conclave teach --connect " + source->address() + " --name rbc"),
              std::string::npos)
        << error.what();
  }
}

TEST_F(Sources, AWorkerSurvivesATrainerThatComesBackAndEndsWhenItDoesNot) {
  const std::string bind = "ipc://" + (folder_ / "again").string();
  auto source = RemoteSource::open(options(bind), expected(), views_, sparse_);
  WorkerOptions patient = worker(bind, "rbc");
  WorkerThread wbc(worker(bind, "wbc"));
  WorkerThread rbc(patient);
  EXPECT_TRUE(drain(*source, 4) == local(4));
  source.reset();
  rbc.join();
  wbc.join();
  EXPECT_EQ(rbc.error(), "");

  // A trainer that is killed: it welcomes, then never says a word again.
  zmq::context_t context;
  zmq::socket_t dead(context, zmq::socket_type::router);
  dead.set(zmq::sockopt::linger, 0);
  dead.bind(bind);
  WorkerOptions short_patience = worker(bind, "rbc");
  short_patience.connect_timeout = 2;
  WorkerThread lonely(short_patience);
  WorkerThread loyal(worker(bind, "rbc")), other(worker(bind, "wbc"));
  for (int welcomed = 0; welcomed < 3;) {
    zmq::message_t peer, frame;
    ASSERT_TRUE(dead.recv(peer));
    ASSERT_TRUE(dead.recv(frame));
    if (!std::holds_alternative<Hello>(parse_frame(frame.to_string_view()))) continue;
    dead.send(peer, zmq::send_flags::sndmore);
    dead.send(zmq::buffer(encode(Welcome{1, 1u << 20, 0.1, views_, sparse_})), zmq::send_flags::none);
    ++welcomed;
  }
  dead.close();
  lonely.join();
  EXPECT_NE(lonely.error().find("no word from the trainer"), std::string::npos) << lonely.error();
  EXPECT_FALSE(loyal.ended());
  source = RemoteSource::open(options(bind), expected(), views_, sparse_);
  EXPECT_TRUE(drain(*source, 4) == local(4));
}

TEST_F(Sources, OneWorkerOfBothTeachersServesTwoRanksThatItLearnsFromTheFirst) {
  const Targets truth = local(24);
  for (const char* kind : {"tcp://127.0.0.1:*", "inproc://rank-"}) {
    std::vector<std::unique_ptr<RemoteSource>> ranks;
    std::vector<std::string> addresses;
    for (int r = 0; r < 2; ++r) {
      const std::string bind = kind + (kind[0] == 'i' ? std::to_string(r) : std::string());
      ranks.push_back(RemoteSource::open(options(bind), expected(), views_, sparse_));
      addresses.push_back(ranks.back()->address());
    }
    WorkerOptions both = worker(addresses[0], "rbc");
    both.teachers.push_back({"wbc", weights("wbc")});
    both.capacity = 4;
    WorkerThread thread(both);
    EXPECT_TRUE(drain(*ranks[0], 6) == local(6)) << kind;
    ranks[0]->announce(addresses);
    Targets second;
    std::thread other([&] { second = drain(*ranks[1], 24); });
    const Targets first = drain(*ranks[0], 24);
    other.join();
    EXPECT_TRUE(first == truth) << kind;
    EXPECT_TRUE(second == truth) << kind;
    ranks[1].reset();
    EXPECT_FALSE(thread.ended());
    EXPECT_TRUE(drain(*ranks[0], 6) == local(6)) << kind;
    ranks[0].reset();
    thread.join();
    EXPECT_EQ(thread.error(), "");
    EXPECT_EQ(thread.report().views, 2u * (6 + 24 + 24 + 6));
  }
}

TEST_F(Sources, ARankThatIsKilledAndComesBackIsFoundAgainWhileTheOtherGoesOn) {
  auto first = RemoteSource::open(options("tcp://127.0.0.1:*"), expected(), views_, sparse_);
  auto second = RemoteSource::open(options("ipc://" + (folder_ / "second").string()), expected(), views_, sparse_);
  first->announce({first->address(), second->address()});
  WorkerOptions both = worker(first->address(), "rbc");
  both.teachers.push_back({"wbc", weights("wbc")});
  WorkerThread thread(both);
  EXPECT_TRUE(drain(*second, 6) == local(6));
  second.reset();
  EXPECT_TRUE(drain(*first, 6) == local(6));
  second = RemoteSource::open(options("tcp://127.0.0.1:*"), expected(), views_, sparse_);
  first->announce({first->address(), second->address()});
  EXPECT_TRUE(drain(*second, 6) == local(6));
  EXPECT_TRUE(drain(*first, 6) == local(6));
}

TEST_F(Sources, WithImagesInsideLeasesAWorkerNeedsNoFilesAndSaysTheSame) {
  views_.mosaic = views_.mix = 0.5;  // some views are of several images
  const Targets truth = local(10);
  RemoteOptions inlined = options("tcp://127.0.0.1:*");
  inlined.inline_images = true;
  const std::filesystem::path here = std::filesystem::current_path();
  std::filesystem::current_path(folder_);
  auto source = RemoteSource::open(inlined, expected(), views_, sparse_);
  WorkerOptions blind = worker(source->address(), "rbc");
  blind.teachers.push_back({"wbc", weights("wbc")});
  blind.root = "/nonexistent";
  WorkerThread thread(blind);
  Targets targets;
  for (int i = 0; i < 10; ++i) {
    TargetRequest relative = request(i);
    relative.path = std::filesystem::path(relative.path).filename().string();
    for (ImageFile& file : relative.further) file.path = std::filesystem::path(file.path).filename().string();
    source->ask(relative);
  }
  source->flush();
  for (int i = 0; i < 10; ++i) targets.push_back(source->take());
  std::filesystem::current_path(here);
  EXPECT_TRUE(targets == truth);
}

TEST_F(Sources, AnImageThatCanNotTravelIsNamed) {
  RemoteOptions inlined = options("inproc://inlined");
  inlined.inline_images = true;
  inlined.lease_mb = 2;
  const auto fails = [&](const std::string& word) {
    auto source = RemoteSource::open(inlined, expected(), views_, sparse_);
    try {
      drain(*source, 3);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.where(), image_path(1));
      EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
    }
  };
  std::ofstream(image_path(1), std::ios::binary) << std::string(3u << 20, 'x');
  fails("larger than");
  std::filesystem::remove(image_path(1));
  fails("No such file");
}

TEST_F(Sources, WhatOneWorkerCanNotReadAnotherAnswers) {
  const Targets truth = local(6);
  RemoteOptions slow = options("inproc://blind");
  slow.heartbeat_seconds = 5;  // on a busy machine nobody is taken for dead
  auto source = RemoteSource::open(slow, expected(), views_, sparse_);
  WorkerOptions blind = worker(source->address(), "rbc");
  blind.root = "/nonexistent";
  const std::filesystem::path here = std::filesystem::current_path();
  std::filesystem::current_path(folder_);
  WorkerThread first(blind), second(worker(source->address(), "rbc")), wbc(worker(source->address(), "wbc"));
  while (source->stats().workers[0] < 2) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  // A worker counts from its hello on; until its first credit comes, all leases go to the other.
  for (int round = 0; round < 1000 && source->stats().leases_reissued == 0; ++round) {
    Targets targets;
    for (int i = 0; i < 6; ++i) {
      TargetRequest relative = request(i);
      relative.path = std::filesystem::path(relative.path).filename().string();
      source->ask(relative);
    }
    for (int i = 0; i < 6; ++i) targets.push_back(source->take());
    EXPECT_TRUE(targets == truth);
  }
  std::filesystem::current_path(here);
  EXPECT_GE(source->stats().leases_reissued, 1u);
}

TEST_F(Sources, WorkersThatComeAndGoWithoutAnAnswerDoNotPutOffAStall) {
  RemoteOptions quick = options("tcp://127.0.0.1:*");
  quick.stall_timeout = 1;
  quick.lease_seconds = 0.5;
  auto source = RemoteSource::open(quick, expected(), views_, sparse_);
  const std::string hello = encode(FakePeer::hello_of(Engine(weights("rbc"), {}), "rbc"));
  std::atomic<bool> over{false};
  std::thread loop([&] {
    while (!over) {
      FakePeer peer(source->address());
      peer.say(hello);
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  });
  source->ask(request(0));
  try {
    source->take();
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::kStalled);
  }
  over = true;
  loop.join();
}

TEST_F(Sources, AFrameLongerThanAnyWorkersEndsItsConnectionAlone) {
  auto source = RemoteSource::open(options("tcp://127.0.0.1:*"), expected(), views_, sparse_);
  FakePeer hostile(source->address());
  hostile.say(std::string(20u << 20, 'x'));
  WorkerThread rbc(worker(source->address(), "rbc")), wbc(worker(source->address(), "wbc"));
  EXPECT_TRUE(drain(*source, 6) == local(6));
}

TEST_F(Sources, AnAddressInUseIsAnError) {
  auto source = RemoteSource::open(options("tcp://127.0.0.1:*"), expected(), views_, sparse_);
  EXPECT_THROW(RemoteSource::open(options(source->address()), expected(), views_, sparse_), Error);
}

}  // namespace
}  // namespace conclave
