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
inline constexpr std::uint16_t kProtocolVersion = 1;

namespace frame_limits {
inline constexpr std::size_t kName = 256;     // bytes of a teacher's, class's or worker's name, or of a hash
inline constexpr std::size_t kPath = 4096;    // bytes
inline constexpr std::size_t kReason = 4096;  // bytes; longer ones are cut
inline constexpr std::size_t kClasses = 1024;
inline constexpr int kViews = 256;    // in one lease
inline constexpr int kCapacity = 64;  // leases held by one worker
inline constexpr int kThreads = 1024;
inline constexpr int kImageSide = 1 << 20;  // pixels
inline constexpr int kViewSide = 16384;     // pixels; a multiple of 32
inline constexpr double kSeconds = 1e6;
}  // namespace frame_limits

// Worker: who I am and how I compute.
struct Hello {
  std::uint64_t instance = 0;  // random, of one run_worker(); a second hello of it replaces the first
  std::string teacher;
  std::string hash;  // of the weights
  std::vector<std::string> classes;
  EngineOptions engine;  // the device does not travel
  int capacity = 1;
  std::string worker;  // for people: host and process

  bool operator==(const Hello&) const = default;
};

// Trainer: you are taken; this is how views are drawn and targets kept.
struct Welcome {
  std::uint64_t run = 0;  // random, of one source; comes back with every result
  ViewOptions views;
  SparseOptions sparse;
  double heartbeat_seconds = 1;

  bool operator==(const Welcome&) const = default;
};

// Trainer: you are not, or no longer, taken.
struct Refusal {
  std::string reason;
  bool operator==(const Refusal&) const = default;
};

// Worker: send me this many leases more.
struct Credit {
  int leases = 1;
  bool operator==(const Credit&) const = default;
};

// Trainer: answer these views as a whole.
struct Lease {
  std::uint64_t id = 0;
  std::uint64_t token = 0;  // fencing token: higher for every time that a lease is given out
  std::vector<TargetRequest> views;
};
bool operator==(const Lease& a, const Lease& b);

// Worker: the answer, one record per view of the lease.
struct Result {
  std::uint64_t run = 0, lease = 0, token = 0;
  std::vector<std::string> records;
  bool operator==(const Result&) const = default;
};

// Worker: this lease can't be answered, by nobody (an image that can't be read).
struct Failure {
  std::uint64_t run = 0, lease = 0, token = 0;
  std::string reason;
  bool operator==(const Failure&) const = default;
};

// Both: I am here.
struct Heartbeat {
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

}  // namespace conclave
