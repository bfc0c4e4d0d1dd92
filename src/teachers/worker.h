#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "teachers/engine_options.h"
#include "teachers/key_options.h"
#include "teachers/target_cache.h"
#include "teachers/teacher_format.h"

namespace conclave {

// One of the teachers that a worker is.
struct WorkerTeacher {
  std::string name;
  TeacherFile file;
};

struct WorkerOptions {
  std::string connect;                  // the trainer's address: of rank 0, which names the others
  std::vector<WorkerTeacher> teachers;  // several share the views that they are asked about
  EngineOptions engine;                 // of all teachers
  int capacity = 2;                     // leases held at once, of all ranks together; at least one of each
  std::size_t memory = 256u << 20;      // bytes of leases held at once, likewise
  std::string root;                     // prefix for relative image paths, where this host sees them elsewhere
  double connect_timeout = 60;          // seconds without a word from the trainer before giving up
  WorkerKeys keys;
  OpenCache cache;  // of answers; may be empty
};

struct WorkerReport {
  std::string worker;  // its own name, host:pid
  std::uint64_t leases = 0, views = 0, bytes = 0;
  std::uint64_t stored_views = 0;  // that the cache had, those not delivered included
};

// Serves leases until rank 0 says goodbye (returns), `stop()` is true (answers what it computes, hands back the rest,
// returns) or the trainer refuses or is silent (throws Error with its reason).
// `seen`, where given, hears several times a second what was served so far; from the calling thread.
WorkerReport run_worker(const WorkerOptions& options, const std::function<bool()>& stop,
                        const std::function<void(const WorkerReport&)>& seen = {});

}  // namespace conclave
