#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

namespace conclave {

// One worker as a rank sees it.
struct WorkerRow {
  std::string worker;  // host:pid
  std::string teacher;
  std::uint64_t views = 0;  // answered for this rank
  double busy_seconds = 0;  // from a lease, or the answer before it, to its answer
  int held = 0;             // leases it holds now
  double silent_seconds = 0;
};

struct TeacherRow {
  std::string teacher;
  int workers = 0;
  int waiting = 0;              // leases that no worker holds
  std::uint64_t bytes = 0;      // of records
  double views_per_second = 0;  // of one worker while it is busy, the mean over workers; 0: not known
};

// What one rank of a running training tells about itself.
struct RankStatus {
  std::string run, phase;  // phase: "training", "evaluating", ...
  int rank = 0, ranks = 1;
  std::int64_t step = 0, steps = 0;
  double loss = 0, lr = 0;
  double images_per_second = 0;            // of this rank
  double data_wait = 0, teacher_wait = 0;  // shares of the time, 0..1
  double eta_seconds = 0, up_seconds = 0;
  bool local = false;  // its teachers are in its own process, or it asks none: they have no workers
  int window = 0;      // views that may be in flight
  std::uint64_t views = 0, stored_views = 0, bytes = 0, leases_reissued = 0;
  std::vector<std::pair<std::string, double>> phases;  // seconds of the loop, by phase
  std::vector<TeacherRow> teachers;
  std::vector<WorkerRow> workers;
};

// What a worker tells about itself.
struct WorkerStatus {
  std::string worker;
  std::vector<std::string> teachers;  // names
  std::string trainer;                // the address of rank 0
  std::uint64_t leases = 0, views = 0, bytes = 0;
  std::uint64_t stored_views = 0;  // that its own store had
  double up_seconds = 0;
};

nlohmann::ordered_json to_json(const RankStatus& status);
nlohmann::ordered_json to_json(const WorkerStatus& status);
// Throws Error (where) for JSON that is no rank's status.
RankStatus rank_status(const nlohmann::ordered_json& json, const std::string& where);

// Prometheus' text exposition format, version 0.0.4.
std::string to_prometheus(const RankStatus& status);
std::string to_prometheus(const WorkerStatus& status);

}  // namespace conclave
