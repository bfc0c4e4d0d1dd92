#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "teachers/engine_options.h"

namespace conclave {

struct WorkerOptions {
  std::string connect;  // the trainer's address
  std::string name;     // of the teacher that this worker is
  std::filesystem::path weights;
  EngineOptions engine;
  int capacity = 2;             // leases held at once: one computed, the others waiting
  std::string root;             // prefix for relative image paths, where this host sees them elsewhere
  double connect_timeout = 60;  // seconds without a word from the trainer before giving up
};

struct WorkerReport {
  std::uint64_t leases = 0, views = 0, bytes = 0;
};

// Serves leases until the trainer says goodbye (returns), `stop()` is true (finishes or hands back its leases, returns)
// or the trainer refuses or is silent (throws Error with its reason).
WorkerReport run_worker(const WorkerOptions& options, const std::function<bool()>& stop);

}  // namespace conclave
