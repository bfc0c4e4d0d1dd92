#include "student/status_board.h"

#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/file.h"
#include "core/log.h"

namespace conclave {
namespace {

// Each rank of a host takes a port of its own: the one that is given for rank 0, those behind it for the others.
std::string address_of(const std::string& address, int rank) {
  const std::size_t colon = address.rfind(':');
  if (colon == std::string::npos || rank == 0) return address;
  const int port = std::atoi(address.c_str() + colon + 1);
  return port == 0 ? address : address.substr(0, colon + 1) + std::to_string(port + rank);
}

// Names come from workers: what is not UTF-8 in them is replaced.
std::string page(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace

StatusBoard::StatusBoard(const RunOptions& options, int rank, int ranks, const TargetSource& source, std::int64_t step)
    : options_(options), source_(source), begin_(clock_.now()), meter_(step) {
  status_.run = options.run;
  status_.phase = "starting";
  status_.rank = rank;
  status_.ranks = ranks;
  status_.steps = options.training.schedule.steps;
  status_.local = options.service.source == "local" || !asks_every_view(options.fusion) ||
                  options.service.store.mode == StoreMode::kReplay;
  status_.window = options.training.window / ranks;
  if (options.service.status == "off") return;
  server_ = std::make_unique<StatusServer>(
      address_of(options.service.status, rank),
      StatusServer::Pages{[this] { return to_prometheus(now()); }, [this] { return page(to_json(now())); }});
}

StatusBoard::~StatusBoard() {
  server_.reset();
  std::error_code ignored;
  if (!published_.empty()) std::filesystem::remove(published_, ignored);
}

std::string StatusBoard::address() const {
  return server_ ? server_->address() : "";
}

void StatusBoard::publish(const std::filesystem::path& file, const std::vector<std::string>& addresses) {
  if (!server_) return;
  write_file_atomically(file, nlohmann::ordered_json{{"pid", ::getpid()}, {"ranks", addresses}}.dump() + "\n");
  published_ = file;
}

void StatusBoard::phase(const std::string& name) {
  std::lock_guard lock(mutex_);
  status_.phase = name;
}

void StatusBoard::step(std::int64_t step, double lr, const StepValues& values, const TimeSpent& spent,
                       const Phases& phases) {
  std::lock_guard lock(mutex_);
  status_.phase = "training";
  status_.step = step;
  status_.loss = values.loss;
  status_.lr = lr;
  status_.eta_seconds = meter_.eta(step, status_.steps, spent);
  status_.phases = phases.all();
  // Rates over the last seconds, not over the last step.
  constexpr double kRowSeconds = 2;
  if (meter_.seconds(spent) < kRowSeconds && !meter_.fresh()) return;
  const StepRates rates = meter_.rates(step, static_cast<double>(options_.training.batch) / status_.ranks, spent);
  status_.images_per_second = rates.images_per_second;
  status_.data_wait = rates.data_wait;
  status_.teacher_wait = rates.teacher_wait;
  meter_.restart(step, spent);
}

RankStatus StatusBoard::now() const {
  const SourceStats stats = source_.stats();
  std::unique_lock lock(mutex_);
  RankStatus status = status_;
  lock.unlock();
  status.up_seconds = (clock_.now() - begin_).count();
  status.views = stats.views;
  status.stored_views = stats.stored_views;
  status.bytes = stats.bytes;
  status.leases_reissued = stats.leases_reissued;
  for (std::size_t t = 0; t < stats.workers.size() && t < options_.teachers.size(); ++t) {
    TeacherRow row;
    row.teacher = options_.teachers[t].name;
    row.workers = stats.workers[t];
    if (t < stats.waiting_leases.size()) row.waiting = stats.waiting_leases[t];
    row.bytes = stats.bytes_per_teacher[t];
    double views = 0, busy = 0;
    for (const WorkerStats& worker : stats.serving) {
      if (worker.teacher != static_cast<int>(t)) continue;
      views += static_cast<double>(worker.views);
      busy += worker.busy_seconds;
      status.workers.push_back(
          {worker.worker, row.teacher, worker.views, worker.busy_seconds, worker.held, worker.silent_seconds});
    }
    if (busy > 0) row.views_per_second = views / busy;
    status.teachers.push_back(std::move(row));
  }
  return status;
}

}  // namespace conclave
