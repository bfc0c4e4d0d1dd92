#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "datasets/view.h"
#include "fusion/soft_targets.h"
#include "teachers/engine_options.h"
#include "teachers/target_source.h"

namespace conclave {

// The messages between a trainer (ROUTER) and its workers (DEALER), one ZeroMQ part each. PROTOCOL.md specifies every
// byte and the order of calls. The magic, the version, the type and the whole of Refusal stay as they are in every
// version.
inline constexpr std::string_view kFrameMagic = "CNCL";
inline constexpr std::uint16_t kProtocolVersion = 4;

namespace frame_limits {
inline constexpr std::size_t kMessage = 64u << 20;  // bytes of a frame from a trainer; a worker takes no longer ones
inline constexpr std::size_t kName = 256;           // bytes of a teacher's, class's or worker's name, or of a hash
inline constexpr std::size_t kPath = 4096;          // bytes
inline constexpr std::size_t kReason = 4096;        // bytes; longer ones are cut
inline constexpr std::size_t kClasses = 1024;
inline constexpr int kTeachers = 64;  // of one worker
inline constexpr int kRanks = 4096;   // of one run
inline constexpr int kViews = 256;    // in one lease
inline constexpr int kFurther = 4;    // images of one view beside its own
inline constexpr int kCapacity = 64;  // leases of one rank held by one worker
inline constexpr int kThreads = 1024;
inline constexpr int kImageSide = 1 << 20;  // pixels
inline constexpr int kViewSide = 16384;     // pixels; a multiple of 32
inline constexpr double kSeconds = 1e6;
inline constexpr double kLeastBlur = 0.1, kMostBlur = 100;  // sigma, pixels
}  // namespace frame_limits

// One of the teachers that a worker is.
struct OfferedTeacher {
  std::string name;
  std::string hash;  // of the weights
  std::vector<std::string> classes;
  EngineOptions engine;  // the device does not travel

  bool operator==(const OfferedTeacher&) const = default;
};

// Worker: who I am and how I compute.
struct Hello {
  std::uint64_t instance = 0;  // random, of one run_worker(); a second hello of it replaces the first
  std::string worker;          // for people: host and process
  std::vector<OfferedTeacher> teachers;

  bool operator==(const Hello&) const = default;
};

// Trainer: you are taken; this is how views are drawn and targets kept.
struct Welcome {
  std::uint64_t session = 0;                     // of this welcome alone; all frames but greetings carry it
  std::size_t max_lease = std::size_t{1} << 20;  // no lease frame will be longer, bytes
  double heartbeat_seconds = 1;
  ViewOptions views;
  SparseOptions sparse;

  bool operator==(const Welcome&) const = default;
};

// Trainer: you are not, or no longer, taken.
struct Refusal {
  std::string reason;
  bool operator==(const Refusal&) const = default;
};

// Worker: since the welcome you may send me so many leases, whose frames have so many bytes in all. Also its heartbeat.
struct Credit {
  std::uint64_t session = 0, leases = 0, bytes = 0;
  bool operator==(const Credit&) const = default;
};

// Trainer: answer these views as a whole. A view's image travels along, or is read from its path by the worker.
struct Lease {
  std::uint64_t session = 0;
  std::uint64_t number = 0;  // of the session's leases: 1, 2, ...
  std::uint64_t id = 0;
  std::uint64_t token = 0;  // fencing token: higher for every time that a lease is given out
  int teacher = 0;          // position in the worker's hello
  std::vector<TargetRequest> views;
};
bool operator==(const Lease& a, const Lease& b);

// Worker: the answer, one record per view of the lease.
struct Result {
  std::uint64_t session = 0, lease = 0, token = 0;
  std::vector<std::string> records;
  bool operator==(const Result&) const = default;
};

// Worker: I can't answer this lease (an image that can't be read).
struct Failure {
  static constexpr int kNoView = 0xffff;
  std::uint64_t session = 0, lease = 0, token = 0;
  int view = kNoView;  // position in the lease of the view that failed, where it is one alone
  std::string reason;
  bool operator==(const Failure&) const = default;
};

// Trainer: I am here, I sent so many leases since the welcome, and these are the addresses of all ranks.
struct Heartbeat {
  std::uint64_t session = 0, leases = 0;
  std::vector<std::string> ranks;  // in rank order; empty: this rank is the only one, or does not say
  bool operator==(const Heartbeat&) const = default;
};

// Worker: I leave, my leases go to others. Trainer: the work is done, leave.
struct Goodbye {
  bool operator==(const Goodbye&) const = default;
};

// Trainer: I don't know you (any more); say hello.
struct Stranger {
  bool operator==(const Stranger&) const = default;
};

// A frame of another protocol version; nothing of it but the version is read.
struct OtherVersion {
  int version = 0;
  bool operator==(const OtherVersion&) const = default;
};

using Frame =
    std::variant<Hello, Welcome, Refusal, Credit, Lease, Result, Failure, Heartbeat, Goodbye, Stranger, OtherVersion>;

// Throws Error for a field beyond its limit (a path too long), except for reasons, which are cut.
std::string encode(const Hello& frame);
std::string encode(const Welcome& frame);
std::string encode(const Refusal& frame);
std::string encode(const Credit& frame);
std::string encode(const Lease& frame);
std::string encode(const Result& frame);
std::string encode(const Failure& frame);
std::string encode(const Heartbeat& frame);
std::string encode(const Goodbye& frame);
std::string encode(const Stranger& frame);

// Strict: a frame that is accepted encodes to the same bytes again (other versions aside). Throws Error (where =
// "frame") for anything else. Takes memory in proportion to the bytes given.
Frame parse_frame(std::string_view bytes);

// Bytes of a lease frame of these views, as a worker's credit counts them.
std::size_t lease_bytes(const std::vector<TargetRequest>& views);
// Bytes of a result frame of so many views whose records have at most `record` bytes.
std::size_t largest_result(int views, std::size_t record);

}  // namespace conclave
