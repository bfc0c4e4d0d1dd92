// What frames, checksums, leases, credit and order cost: targets streamed from a worker process to a trainer's source
// over tcp, beside bare ZeroMQ messages of the same sizes in the same pattern between two such processes; and, between
// these two, frames alone (both sides write and parse them), and frames whose records the trainer decodes and checks.
//
//   bench_lease_stream [seconds=2] [rounds=5] [window=64]
//
// For each size of record, views per second of bare messages, and of it the shares that are left with frames, records
// and leases, median (range) over rounds in turn; then the round
// trip of a lease of one view, alone on the wire. Worker and trainer do nothing else: the worker answers from memory.
#include <malloc.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <map>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "core/error.h"
#include "core/random.h"
#include "models/detector.h"
#include "models/weights.h"
#include "teachers/frame.h"
#include "teachers/record_reader.h"
#include "teachers/record_writer.h"
#include "teachers/remote_source.h"
#include "teachers/transport.h"
#include "teachers/worker.h"

extern char** environ;

namespace {

using namespace conclave;
using SteadyClock = std::chrono::steady_clock;

constexpr int kLeaseViews = 4;
constexpr int kWidth = 512, kHeight = 384;  // of a view, pixels

// Targets of one class in which this share of the cells says something, with a box at every fourth of them.
std::string record_with(double share) {
  SoftTargets targets;
  targets.width = kWidth / 4;
  targets.height = kHeight / 4;
  SoftTargets::Channel channel;
  CounterRandom random(1);
  for (int cell = 0; cell < targets.width * targets.height; ++cell) {
    if (random.uniform() >= share) continue;
    channel.cells.push_back(static_cast<std::uint32_t>(cell));
    channel.logits.push_back(0x4000);
    if (channel.cells.size() % 4 != 0) continue;
    targets.box_cells.push_back(static_cast<std::uint32_t>(cell));
    targets.boxes.push_back({0x4000, 0x4000, 0x3800, 0x3800});
  }
  targets.channels.push_back(channel);
  return write_record(targets);
}

class Constant final : public TargetCache {
 public:
  explicit Constant(std::string record) : record_(std::move(record)) {}
  std::optional<std::string> find(std::size_t, const TargetRequest&, const Welcome&) override { return record_; }
  void keep(std::size_t, const TargetRequest&, const Welcome&, std::string_view) noexcept override {}

 private:
  const std::string record_;
};

void work(const std::string& address, const std::string& weights, double share, int capacity) {
  WorkerOptions options;
  options.connect = address;
  options.teachers = {{"teacher", std::filesystem::path(weights)}};
  options.cache = [share](const auto&) { return std::make_unique<Constant>(record_with(share)); };
  options.connect_timeout = 20;
  options.capacity = capacity;  // as many in flight as bare messages
  run_worker(options, [] { return false; });
}

TargetRequest request(std::uint64_t n) {
  return {{0, static_cast<std::uint32_t>(n % 1000), n + 1},
          "photos/some-folder/000000" + std::to_string(n % 1000) + ".jpg",
          640,
          480};
}

// How much of a lease's way a message goes: as bytes, as a frame, as a frame whose records are decoded.
enum class Way { kBytes, kFrame, kRecords };

std::string lease_frame(int views) {
  Lease lease;
  for (int i = 0; i < views; ++i) lease.views.push_back(request(static_cast<std::uint64_t>(i)));
  return encode(lease);
}

std::string result_frame(const std::string& record, int views) {
  Result result;
  result.records.assign(static_cast<std::size_t>(views), record);
  return encode(result);
}

// Answers each message with a result frame, which is written anew each time unless `way` is kBytes.
void echo(const std::string& address, double share, int views, Way way) {
  const auto context = context_for(address);
  zmq::socket_t socket(*context, zmq::socket_type::dealer);
  socket.connect(address);
  socket.send(zmq::str_buffer("here"));
  const std::string record = record_with(share), answer = result_frame(record, views);
  zmq::message_t message;
  while (uninterrupted([&] { return socket.recv(message); })) {
    if (way == Way::kBytes) {
      socket.send(zmq::buffer(answer));
      continue;
    }
    const Lease lease = std::get<Lease>(parse_frame(message.to_string_view()));
    socket.send(zmq::buffer(result_frame(record, static_cast<int>(lease.views.size()))));
  }
}

// Decodes what came, and returns its views.
std::size_t decode(const zmq::message_t& message, Way way) {
  const Result result = std::get<Result>(parse_frame(message.to_string_view()));
  if (way == Way::kRecords) {
    for (const std::string& record : result.records) {
      if (read_record(record).width != kWidth / 4) throw Error("another record", "bench_lease_stream");
    }
  }
  return result.records.size();
}

class Child {
 public:
  explicit Child(const std::vector<std::string>& words) {
    std::vector<char*> arguments{const_cast<char*>("bench_lease_stream")};
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    if (::posix_spawn(&pid_, "/proc/self/exe", nullptr, nullptr, arguments.data(), environ) != 0)
      throw Error("can't start a process", "bench_lease_stream");
  }
  ~Child() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

 private:
  pid_t pid_ = 0;
};

struct Setting {
  double seconds = 2;
  int rounds = 5, window = 64;
  std::string weights;
};

// Calls `turn` for so long, after a tenth of it unmeasured; returns turns per second.
template <class F>
double rate_of(double seconds, F turn) {
  const auto warm = SteadyClock::now() + std::chrono::duration<double>(seconds / 10);
  while (SteadyClock::now() < warm) turn();
  const auto begin = SteadyClock::now();
  const auto end = begin + std::chrono::duration<double>(seconds);
  std::uint64_t turns = 0;
  while (SteadyClock::now() < end) {
    for (int i = 0; i < 16; ++i) turn();
    turns += 16;
  }
  return static_cast<double>(turns) / std::chrono::duration<double>(SteadyClock::now() - begin).count();
}

double framed(const Setting& setting, double share, int window, int lease_views) {
  RemoteOptions options;
  options.lease_views = lease_views;
  ViewOptions views;
  views.width = kWidth;
  views.height = kHeight;
  auto source = RemoteSource::open(options, {{"teacher", "", {"object"}, {}}}, views, {});
  const Child worker({"worker", source->address(), setting.weights, std::to_string(share),
                      std::to_string(std::clamp(window / lease_views, 1, frame_limits::kCapacity))});
  std::uint64_t asked = 0;
  for (; asked < static_cast<std::uint64_t>(window); ++asked) source->ask(request(asked));
  source->take();
  source->ask(request(asked++));
  return rate_of(setting.seconds, [&] {
    source->take();
    source->ask(request(asked++));
  });
}

// The same number of bytes in flight, both ways, in messages of the same size.
double messages(const Setting& setting, double share, int window, int lease_views, Way way) {
  zmq::context_t context;
  zmq::socket_t socket(context, zmq::socket_type::router);
  socket.bind("tcp://127.0.0.1:*");
  const Child worker({"echo", socket.get(zmq::sockopt::last_endpoint), std::to_string(share),
                      std::to_string(lease_views), std::to_string(static_cast<int>(way))});
  zmq::message_t peer, message;
  (void)socket.recv(peer);
  (void)socket.recv(message);
  const std::string written = lease_frame(lease_views);
  const auto ask = [&] {
    socket.send(zmq::buffer(peer.data(), peer.size()), zmq::send_flags::sndmore);
    socket.send(zmq::buffer(way == Way::kBytes ? written : lease_frame(lease_views)));
  };
  for (int i = 0; i < std::max(1, window / lease_views); ++i) ask();
  zmq::message_t from;
  const double leases = rate_of(setting.seconds, [&] {
    (void)socket.recv(from);
    (void)socket.recv(message);
    ask();
    if (way != Way::kBytes && decode(message, way) != static_cast<std::size_t>(lease_views))
      throw Error("another frame", "bench_lease_stream");
  });
  return leases * lease_views;
}

std::string summary(std::vector<double> values, const char* format) {
  std::sort(values.begin(), values.end());
  const auto text = [&](double value) {
    char out[32];
    std::snprintf(out, sizeof out, format, value);
    return std::string(out);
  };
  return text(values[values.size() / 2]) + " (" + text(values.front()) + " to " + text(values.back()) + ")";
}

void compare(const Setting& setting, double share) {
  const std::string record = record_with(share);
  std::vector<double> bare, leased, ratios[3];
  for (int round = 0; round < setting.rounds; ++round) {
    const auto stream = [&](Way way) { return messages(setting, share, setting.window, kLeaseViews, way); };
    const bool first = round % 2 == 0;
    if (first) leased.push_back(framed(setting, share, setting.window, kLeaseViews));
    const double records = stream(Way::kRecords);
    bare.push_back(stream(Way::kBytes));
    const double frames = stream(Way::kFrame);
    if (!first) leased.push_back(framed(setting, share, setting.window, kLeaseViews));
    ratios[0].push_back(frames / bare.back());
    ratios[1].push_back(records / bare.back());
    ratios[2].push_back(leased.back() / bare.back());
  }
  std::printf("| %zu | %zu | %s |", record.size(), result_frame(record, kLeaseViews).size(),
              summary(bare, "%.0f").c_str());
  for (const auto& ratio : ratios) std::printf(" %s |", summary(ratio, "%.2f").c_str());
  std::printf(" %s |\n", summary(leased, "%.0f").c_str());
  std::fflush(stdout);
}

void round_trip(const Setting& setting) {
  const double share = 0.02;
  std::vector<double> ours, theirs, more;
  for (int round = 0; round < setting.rounds; ++round) {
    ours.push_back(1e6 / framed(setting, share, 1, 1));
    theirs.push_back(1e6 / messages(setting, share, 1, 1, Way::kBytes));
    more.push_back(ours.back() - theirs.back());
  }
  std::printf("\nround trip of a lease of one view: %s us; of bare messages: %s us; the protocol adds %s us\n",
              summary(ours, "%.0f").c_str(), summary(theirs, "%.0f").c_str(), summary(more, "%.0f").c_str());
}

void run(const std::vector<std::string>& words) {
  if (words.size() == 5 && words[0] == "worker")
    return work(words[1], words[2], std::stod(words[3]), std::stoi(words[4]));
  if (words.size() == 5 && words[0] == "echo")
    return echo(words[1], std::stod(words[2]), std::stoi(words[3]), static_cast<Way>(std::stoi(words[4])));
  std::map<std::string, double> numbers = {{"seconds", 2}, {"rounds", 5}, {"window", 64}};
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos || !numbers.contains(word.substr(0, equals)))
      throw Error("unknown argument", word, "bench_lease_stream [seconds=2] [rounds=5] [window=64]");
    numbers[word.substr(0, equals)] = std::stod(word.substr(equals + 1));
  }
  const std::filesystem::path weights =
      std::filesystem::temp_directory_path() / ("lease-stream-" + std::to_string(::getpid()) + ".safetensors");
  ModelSpec spec;
  spec.architecture.width = 8;
  spec.architecture.neck_channels = {16, 16, 16};
  spec.architecture.head_channels = 16;
  spec.classes = {"object"};
  spec.width = kWidth;
  spec.height = kHeight;
  save_detector(weights, spec, state_of(*make_detector(spec, 1)));
  const Setting setting{numbers["seconds"], static_cast<int>(numbers["rounds"]), static_cast<int>(numbers["window"]),
                        weights.string()};
  std::printf(
      "| bytes of a record | of a message | bare, views/s | frames | and records | leased | leased, views/s |\n"
      "|---|---|---|---|---|---|---|\n");
  for (const double share : {0.002, 0.02, 0.2, 1.0}) compare(setting, share);
  round_trip(setting);
  std::filesystem::remove(weights);
}

}  // namespace

int main(int count, char** arguments) {
  mallopt(M_MMAP_THRESHOLD, 1 << 30);  // as conclave does
  mallopt(M_TRIM_THRESHOLD, 2047 << 20);
  try {
    run({arguments + 1, arguments + count});
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
