#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "cli/commands.h"
#include "core/error.h"
#include "core/file.h"
#include "core/stop.h"
#include "monitor/advice.h"
#include "monitor/status_server.h"
#include "student/progress.h"
#include "student/run_folder.h"

namespace conclave {
namespace {

constexpr double kPatienceSeconds = 5;

struct StatusArguments {
  std::string run;
  std::vector<std::string> addresses;
  double watch = 0;
  bool json = false;
};

// Where the ranks of a run answer.
std::vector<std::string> addresses_in(const std::string& run) {
  if (!std::filesystem::is_directory(run)) throw Error("no such run folder", run, {}, Exit::kUsage);
  const std::filesystem::path file = RunFolder{run}.status();
  if (!std::filesystem::exists(file)) {
    throw Error(
        "no rank of it is running", run,
        "it may have ended (see its report.html and metrics.jsonl), not started yet, or have service.status off");
  }
  try {
    return nlohmann::json::parse(read_file(file)).at("ranks").get<std::vector<std::string>>();
  } catch (const nlohmann::json::exception& error) {
    throw Error(std::string("no addresses of ranks: ") + error.what(), file.string());
  }
}

std::vector<RankStatus> ask(const std::vector<std::string>& addresses) {
  std::vector<RankStatus> ranks;
  for (const std::string& address : addresses) {
    const std::string body = fetch_page(address, "status", kPatienceSeconds);
    const auto json = nlohmann::ordered_json::parse(body, nullptr, /*allow_exceptions=*/false);
    if (json.is_discarded()) throw Error("does not answer with JSON", address);
    ranks.push_back(rank_status(json, address));
  }
  std::sort(ranks.begin(), ranks.end(), [](const RankStatus& a, const RankStatus& b) { return a.rank < b.rank; });
  return ranks;
}

int width_of(const std::vector<std::string>& names, std::size_t least) {
  for (const std::string& name : names) least = std::max(least, name.size());
  return static_cast<int>(least);
}

void show(const std::vector<RankStatus>& ranks) {
  const RankStatus& first = ranks.front();
  std::printf("%s: %s, step %lld of %lld (%.0f %%), loss %.4g, ETA %s\n\n", first.run.c_str(), first.phase.c_str(),
              static_cast<long long>(first.step), static_cast<long long>(first.steps),
              first.steps > 0 ? 100.0 * static_cast<double>(first.step) / static_cast<double>(first.steps) : 0.0,
              first.loss, duration_text(first.eta_seconds).c_str());
  std::printf("rank  images/s  waits for data  for teachers     views  from store  leases reissued\n");
  for (const RankStatus& rank : ranks) {
    std::printf("%4d  %8.1f  %12.0f %%  %10.0f %%  %8llu  %10llu  %15llu\n", rank.rank, rank.images_per_second,
                100 * rank.data_wait, 100 * rank.teacher_wait, static_cast<unsigned long long>(rank.views),
                static_cast<unsigned long long>(rank.stored_views),
                static_cast<unsigned long long>(rank.leases_reissued));
  }
  std::vector<std::string> names;
  for (const TeacherRow& row : first.teachers) names.push_back(row.teacher);
  const int teacher = width_of(names, 7);
  if (!first.teachers.empty()) {
    std::printf("\n%-*s  workers  leases waiting  views/s of one worker  MB received\n", teacher, "teacher");
  }
  for (std::size_t t = 0; t < first.teachers.size(); ++t) {
    int waiting = 0;
    double bytes = 0, rate = 0;  // a worker that serves all ranks shares its time
    for (const RankStatus& rank : ranks) {
      if (t >= rank.teachers.size()) continue;
      waiting += rank.teachers[t].waiting;
      bytes += static_cast<double>(rank.teachers[t].bytes);
      rate += rank.teachers[t].views_per_second;
    }
    const TeacherRow& row = first.teachers[t];
    std::printf("%-*s  %7d  %14d  %21.1f  %11.2f\n", teacher, row.teacher.c_str(), row.workers, waiting, rate,
                bytes / 1e6);
  }
  names.clear();
  for (const WorkerRow& row : first.workers) names.push_back(row.worker);
  const int worker = width_of(names, 6);
  if (!first.workers.empty())
    std::printf("\n%-*s  %-*s     views  leases held  silent s\n", worker, "worker", teacher, "teacher");
  for (const WorkerRow& row : first.workers) {
    std::uint64_t views = 0;
    int held = 0;
    for (const RankStatus& rank : ranks) {
      for (const WorkerRow& other : rank.workers) {
        if (other.worker != row.worker || other.teacher != row.teacher) continue;
        views += other.views;
        held += other.held;
      }
    }
    std::printf("%-*s  %-*s  %8llu  %11d  %8.1f\n", worker, row.worker.c_str(), teacher, row.teacher.c_str(),
                static_cast<unsigned long long>(views), held, row.silent_seconds);
  }
  if (!first.teachers.empty() && !first.local) std::printf("\n%s\n", advice(ranks).c_str());
  std::fflush(stdout);
}

void status(const StatusArguments& arguments) {
  install_stop_signals();
  while (true) {
    const std::vector<RankStatus> ranks =
        ask(arguments.addresses.empty() ? addresses_in(arguments.run) : arguments.addresses);
    if (arguments.json) {
      nlohmann::ordered_json all = nlohmann::ordered_json::array();
      for (const RankStatus& rank : ranks) all.push_back(to_json(rank));
      std::printf("%s\n", all.dump(2).c_str());
    } else {
      show(ranks);
    }
    if (arguments.watch <= 0) return;
    const auto next = std::chrono::steady_clock::now() + std::chrono::duration<double>(arguments.watch);
    while (std::chrono::steady_clock::now() < next) {
      if (stop_requested()) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    std::printf("\n");
  }
}

}  // namespace

void add_status(CLI::App& app, Action& action) {
  CLI::App* verb = app.add_subcommand("status", "a running job: its ranks and workers, who waits for whom");
  verb->footer(
      "Examples:\n"
      "  conclave status runs/merged                       # on the host of the run, or where its folder is seen\n"
      "  conclave status runs/merged --watch 5\n"
      "  conclave status --address trainer-1:9100 --address trainer-2:9100\n"
      "  curl http://trainer-1:9100/metrics                # the same for Prometheus\n\n"
      "service.status sets where a rank answers (127.0.0.1 and a free port by default). The last lines say how many\n"
      "workers of which teacher would end the waiting, from the rates measured so far.");
  auto arguments = std::make_shared<StatusArguments>();
  CLI::Option* run = verb->add_option("run", arguments->run, "the run's folder");
  CLI::Option* address = verb->add_option("--address", arguments->addresses, "a rank's HOST:PORT; repeat it for each")
                             ->excludes(run)
                             ->expected(1)
                             ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  verb->add_option("--watch", arguments->watch, "again every so many seconds, until Ctrl-C")
      ->check(CLI::PositiveNumber);
  verb->add_flag("--json", arguments->json, "what the ranks answer, as a JSON list");
  verb->callback([arguments, run, address, &action] {
    if (run->empty() && address->empty()) throw CLI::RequiredError("the run's folder or --address");
    action = [arguments] { status(*arguments); };
  });
}

}  // namespace conclave
