#include "student/trainer.h"

#include <algorithm>

#include "core/clock.h"
#include "core/error.h"
#include "core/file.h"
#include "core/log.h"
#include "student/device.h"
#include "student/pseudo.h"
#include "student/run_facts.h"
#include "student/run_folder.h"
#include "student/schedule.h"
#include "student/teacher_weights.h"
#include "student/training.h"
#include "teachers/local_source.h"

namespace conclave {
namespace {

void require(bool ok, const char* key, const char* what) {
  if (!ok) throw Error(what, key, {}, Exit::kUsage);
}

std::string name_of(StoreMode mode) {
  switch (mode) {
    case StoreMode::kRecord:
      return "record";
    case StoreMode::kReplay:
      return "replay";
    case StoreMode::kAuto:
      return "auto";
    case StoreMode::kOff:
      break;
  }
  return "off";
}

// What the ranks must agree on before they first meet: what decides the result, and what decides when they meet.
RunFacts shared_facts(const RunOptions& options, const std::vector<Dataset>& datasets,
                      const std::vector<TeacherChannels>& teachers, const std::optional<Dataset>& val, bool resume) {
  RunFacts facts = run_facts(options, datasets, teachers, val);
  facts["--resume"] = resume ? "given" : "not given";
  facts["training.eval_every"] = std::to_string(options.training.eval_every);
  facts["training.checkpoint_every"] = std::to_string(options.training.checkpoint_every);
  facts["ranks.bucket_mb"] = std::to_string(options.ranks.bucket_mb);
  facts["service.source"] = options.service.source;
  facts["service.store.mode"] = name_of(options.service.store.mode);
  facts["data.val"] = val ? val->name + " " + content_of(*val) : "none";
  for (const TeacherOptions& teacher : options.teachers) {
    if (!teacher.weight) facts["teachers." + teacher.name + ".weight"] = "auto";
  }
  return facts;
}

// Ranks that don't mean the same training would wait for each other for ever, or learn something else without a word.
void check_same_everywhere(const RunFacts& facts, ProcessGroup& ranks) {
  std::string text;
  for (const auto& [key, value] : facts) text += key + " = " + value + "\n";
  const std::vector<std::string> all = ranks.gather(text);
  ranks.together([&] {
    for (std::size_t rank = 1; rank < all.size(); ++rank) {
      if (all[rank] == all[0]) continue;
      const auto [mine, other] = std::mismatch(all[0].begin(), all[0].end(), all[rank].begin(), all[rank].end());
      const auto line = [](const std::string& whole, std::string::const_iterator at) {
        const auto place = static_cast<std::size_t>(at - whole.begin());
        const std::size_t begin = place == 0 ? 0 : whole.rfind('\n', place - 1) + 1;
        return whole.substr(begin, whole.find('\n', place) - begin);
      };
      throw Error("is '" + line(all[rank], other) + "' there and '" + line(all[0], mine) + "' on rank 0",
                  "rank " + std::to_string(rank), "all ranks need the same configuration, images and weights files",
                  Exit::kUsage);
    }
  });
}

}  // namespace

void check_options(const RunOptions& options, const World& world) {
  const TrainOptions& training = options.training;
  require(training.batch >= 1, "training.batch", "must be at least 1");
  require(training.ema >= 0 && training.ema < 1, "training.ema", "must lie in [0,1)");
  require(training.swa.every >= 0, "training.swa.every", "must not be negative");
  require(training.swa.from >= 0 && training.swa.from < 1, "training.swa.from", "must lie in [0,1)");
  require(training.swa.norm_views >= 0, "training.swa.norm_views", "must not be negative");
  require(training.eval_every >= 0, "training.eval_every", "must not be negative");
  require(training.checkpoint_every >= 1, "training.checkpoint_every", "must be at least 1");
  require(options.views.width % 32 == 0 && options.views.height % 32 == 0, "model.input", "must be multiples of 32");
  check(training.schedule);
  device_of(training.device, world.local_rank);
  if (training.batch % world.size != 0) {
    throw Error("a batch of " + std::to_string(training.batch) + " can't be shared equally by " +
                    std::to_string(world.size) + " ranks",
                "training.batch", "it counts the views of all ranks together: make it a multiple of the ranks",
                Exit::kUsage);
  }
}

struct Trainer::State {
  explicit State(ProcessGroup* others) : ranks(others != nullptr ? *others : alone) {}

  ProcessGroup alone;
  ProcessGroup& ranks;
  RunOptions options;
  std::vector<TeacherChannels> teachers;
  std::vector<Dataset> datasets;
  std::optional<Dataset> val;
  std::vector<CoveredSet> sets;
  Coverage coverage;
  std::optional<RunLock> lock;  // on the rank that writes
  bool agreed = false;          // with the other ranks
};

Trainer::Trainer(RunOptions options, std::vector<TeacherChannels> teachers) : state_(std::make_unique<State>(nullptr)) {
  prepare(std::move(options), std::move(teachers));
}

Trainer::Trainer(RunOptions options, std::vector<TeacherChannels> teachers, ProcessGroup& ranks)
    : state_(std::make_unique<State>(&ranks)) {
  prepare(std::move(options), std::move(teachers));
}

void Trainer::prepare(RunOptions options, std::vector<TeacherChannels> teachers) {
  State& state = *state_;
  state.options = std::move(options);
  state.teachers = std::move(teachers);
  check_options(state.options, state.ranks.world());
  for (const DatasetOptions& set : state.options.train) {
    state.datasets.push_back(load_dataset(set, state.options.classes));
    state.sets.push_back({set.name, state.datasets.back().labelled});
  }
  if (!state.options.val.name.empty()) state.val = load_dataset(state.options.val, state.options.classes);
  const FusionOptions& fusion = state.options.fusion;
  state.coverage = derive_coverage(fusion.method, fusion.both, state.options.classes, state.sets, state.teachers);
  if (fusion.method == Method::kPseudo) {
    check_thresholds({state.options, state.datasets, state.val, state.coverage, state.teachers});
  }
  check_weights(state.options, state.val, state.teachers);
}

Trainer::~Trainer() = default;

const Coverage& Trainer::coverage() const {
  return state_->coverage;
}

const std::vector<Dataset>& Trainer::datasets() const {
  return state_->datasets;
}

std::string Trainer::coverage_text() const {
  return to_text(state_->coverage, state_->options.classes, state_->sets, state_->teachers);
}

void Trainer::check_ranks(bool resume) {
  State& state = *state_;
  if (!state.agreed && state.ranks.size() > 1) {
    check_same_everywhere(shared_facts(state.options, state.datasets, state.teachers, state.val, resume), state.ranks);
  }
  state.agreed = true;
}

RunResult Trainer::run(TargetSource& source, bool resume, const std::string& config) {
  State& state = *state_;
  const RunOptions& options = state.options;
  ProcessGroup& ranks = state.ranks;
  const at::Device device = device_of(options.training.device, ranks.world().local_rank);
  const int threads = use_threads(options.training.threads, ranks.world().local_size);
  use_deterministic_algorithms(device);
  const RunFolder folder{options.run};
  ranks.together([&] {
    if (!ranks.writes()) return;
    open_run_folder(options.run, resume);
    state.lock.emplace(folder);
    if (!std::filesystem::exists(folder.environment())) write_environment(folder, options.training.device, threads);
  });
  if (options.fusion.method == Method::kBackground) {
    log::warn("method background takes unlabelled objects for background: expect worse accuracy than `ignore`");
  }
  check_ranks(resume);
  weigh_by_ap(options, state.val, state.teachers, ranks);
  RunFacts facts = run_facts(options, state.datasets, state.teachers, state.val);
  facts["ranks"] = std::to_string(ranks.size());
  const bool live = asks_every_view(options.fusion);
  PseudoRule pseudo;
  double labelling = 0;
  if (options.fusion.method == Method::kPseudo) {
    ranks.together([&] {
      if (resume && ranks.writes()) check_resumable(folder, facts);  // before what teachers said is touched
    });
    const PseudoInput input{options, state.datasets, state.val, state.coverage, state.teachers};
    const SystemClock clock;
    const TimePoint start = clock.now();
    const PseudoLabels labels = make_pseudo_labels(input, source, folder.pseudo(), resume, ranks);
    labelling = (clock.now() - start).count();
    if (!live) log::info("{} pseudo labels", add_pseudo_labels(state.datasets, state.coverage, labels));
    pseudo = labels.rule;
  }
  const std::unique_ptr<TargetSource> empty = make_empty_source();
  const std::vector<TeacherChannels> asked = live ? state.teachers : std::vector<TeacherChannels>();
  Training training({options, state.datasets, state.val, state.coverage, asked, ranks, pseudo, labelling}, facts);
  if (resume) training.resume();
  ranks.together([&] {
    if (ranks.writes() && !config.empty()) write_file_atomically(folder.config(), config);
  });
  RunResult result = training.run(live ? source : *empty);
  if (!live) result.source = source.stats();
  result.pseudo_thresholds = pseudo.thresholds;
  return result;
}

}  // namespace conclave
