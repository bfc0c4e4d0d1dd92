#include "student/trainer.h"

#include <algorithm>

#include "core/error.h"
#include "core/log.h"
#include "core/stop.h"
#include "student/batch.h"
#include "student/checkpoint.h"
#include "student/device.h"
#include "student/evaluate.h"
#include "student/pseudo.h"
#include "student/run_facts.h"
#include "student/run_folder.h"
#include "student/run_log.h"
#include "student/sampler.h"
#include "student/schedule.h"
#include "student/student_state.h"
#include "teachers/local_source.h"
#include "teachers/window.h"

namespace conclave {
namespace {

constexpr int kKeptCheckpoints = 2;

void require(bool ok, const char* key, const char* what) {
  if (!ok) throw Error(what, key, {}, Exit::kUsage);
}

void check_options(const RunOptions& options) {
  const TrainOptions& training = options.training;
  require(training.batch >= 1, "training.batch", "must be at least 1");
  require(training.ema >= 0 && training.ema < 1, "training.ema", "must lie in [0,1)");
  require(training.eval_every >= 0, "training.eval_every", "must not be negative");
  require(training.checkpoint_every >= 1, "training.checkpoint_every", "must be at least 1");
  require(options.views.width % 32 == 0 && options.views.height % 32 == 0, "model.input", "must be multiples of 32");
  check(training.schedule);
  device_of(training.device);
}

// Kept in the metadata of weights; nothing that differs between two equal runs.
std::map<std::string, std::string> provenance(std::int64_t step, std::uint64_t seed) {
  return {{"step", std::to_string(step)}, {"seed", std::to_string(seed)}};
}

}  // namespace

struct Trainer::State {
  RunOptions options;
  std::vector<TeacherChannels> teachers;
  std::vector<Dataset> datasets;
  std::optional<Dataset> val;
  std::vector<CoveredSet> sets;
  Coverage coverage;
};

namespace {

// One run, from its newest checkpoint or the start, to the end.
class Training {
 public:
  Training(const RunOptions& options, const std::vector<Dataset>& datasets, const std::optional<Dataset>& val,
           const Coverage& coverage, const std::vector<TeacherChannels>& teachers, RunFacts facts, RunFolder folder)
      : options_(options),
        training_(options.training),
        datasets_(datasets),
        val_(val),
        coverage_(coverage),
        teachers_(teachers),
        facts_(std::move(facts)),
        folder_(std::move(folder)),
        device_(device_of(training_.device)),
        spec_(spec_of(options)),
        student_(options) {}

  void resume() {
    const std::string where = folder_.checkpoints().string();
    const std::optional<Checkpoint> checkpoint = load_checkpoint(folder_.checkpoints());
    if (!checkpoint) {
      log::info("{}: no checkpoint, training starts at step 0", where);
      return;
    }
    RunFacts saved = checkpoint->metadata;
    const auto seconds = saved.extract("seconds");
    const auto evaluated = saved.extract("evaluated");
    check_same_run(saved, facts_, where);
    student_.load(checkpoint->tensors, where);
    step_ = saved_step_ = checkpoint->step;
    best_ = checkpoint->best;
    if (!evaluated.empty()) evaluated_ = std::strtoll(evaluated.mapped().c_str(), nullptr, 10);
    if (!seconds.empty()) seconds_before_ = std::strtod(seconds.mapped().c_str(), nullptr);
    log::info("training goes on after step {}", step_);
  }

  RunResult run(TargetSource& source) {
    const std::int64_t steps = training_.schedule.steps;
    std::vector<std::size_t> sizes;
    for (const Dataset& dataset : datasets_) sizes.push_back(dataset.images.size());
    Sampler sampler(sizes, options_.seed, static_cast<std::uint64_t>(steps) * training_.batch);
    std::uint64_t position = static_cast<std::uint64_t>(step_) * training_.batch;
    Loader loader(datasets_, options_.views, std::max(1, training_.loader_threads));
    const std::size_t in_flight = static_cast<std::size_t>(std::max(training_.window, training_.batch));
    Window window(
        datasets_, loader, source, [&] { return sampler.at(position++); }, in_flight);
    RunLog run_log(folder_, training_, sampler.images(), step_);
    const std::int64_t first_step = step_;
    if (step_ > 0 && evaluation_due() && evaluated_ != step_) {  // interrupted in the middle of it
      evaluate(run_log);
      save(run_log);
    }

    while (step_ < steps) {
      const TimePoint start = clock_.now();
      const std::vector<JoinedView> views = take(window, run_log);
      const Batch batch = to_device(make_batch(views, coverage_, teachers_.size(), options_.fusion), device_);
      const HeadOutputs heads = forward(batch.images);
      const Losses losses = fuse(heads, batch.targets, teachers_, options_.fusion);
      student_.optimizer().zero_grad();
      if (losses.total.requires_grad()) losses.total.backward();
      const at::Tensor norm = clip_gradients(student_.optimizer().parameters(), training_.optimizer.clip);
      const StepValues values = read_values(losses, norm);
      check_finite(values, step_ + 1, folder_.root.string());
      const double lr = learning_rate(training_.schedule, training_.optimizer.lr, step_);
      student_.update(lr, step_);
      ++step_;
      spent_.training += (clock_.now() - start).count();
      spent_.data_wait = window.data_wait();
      spent_.teacher_wait = window.teacher_wait();
      run_log.step(step_, lr, values, spent_);

      const bool last = step_ == steps;
      if (evaluation_due()) evaluate(run_log);
      if (last || step_ % training_.checkpoint_every == 0) save(run_log);
      if (!last && stop_requested()) interrupt(run_log);
    }
    RunResult result;
    result.steps = step_;
    result.seconds = seconds_before_ + spent_.training;
    result.images_per_second = result.seconds > 0 ? static_cast<double>(step_ * training_.batch) / result.seconds : 0;
    result.source = source.stats();
    if (first_step < steps)
      log::info("{} steps in {:.1f} s, {:.1f} images/s", step_, result.seconds, result.images_per_second);
    return result;
  }

 private:
  // A full batch. Whatever stops the views from coming, what was learnt so far is kept.
  std::vector<JoinedView> take(Window& window, RunLog& run_log) {
    try {
      return window.take(static_cast<std::size_t>(training_.batch));
    } catch (const Error& error) {
      if (step_ > saved_step_) save(run_log);
      if (error.exit() == Exit::kInterrupted) throw interrupted();
      throw;
    }
  }

  HeadOutputs forward(const at::Tensor& pixels) {
    at::Tensor images = normalise(pixels, spec_);
    if (training_.channels_last) images = images.contiguous(at::MemoryFormat::ChannelsLast);
    const Autocast autocast(device_, training_.bf16);
    const HeadOutputs heads = student_.model().forward(images);
    return {heads.heat.to(at::kFloat), heads.wh.to(at::kFloat), heads.offset.to(at::kFloat)};
  }

  void ship(const std::filesystem::path& path, const TensorMap& weights) const {
    for (const auto& [name, tensor] : weights) {
      if (tensor.is_floating_point() && !at::isfinite(tensor).all().item<bool>()) {
        throw Error("the weights of " + name + " are not finite after step " + std::to_string(step_), path.string(),
                    "the last good files are kept; lower training.lr, or set training.clip", Exit::kDiverged);
      }
    }
    save_detector(path, spec_, weights, provenance(step_, options_.seed));
  }

  bool evaluation_due() const {
    return step_ == training_.schedule.steps || (training_.eval_every > 0 && step_ % training_.eval_every == 0);
  }

  // Without a validation set the last weights are the best known.
  void evaluate(RunLog& run_log) {
    const TensorMap weights = student_.shipped();
    if (!val_) {
      evaluated_ = step_;
      return ship(folder_.best(), weights);
    }
    if (!shown_) shown_ = make_detector(spec_, options_.seed);
    load_state(*shown_, weights, "the student");
    EvaluateOptions options;
    options.batch = training_.eval_batch;
    options.loader_threads = training_.loader_threads;
    options.bf16 = training_.bf16;
    options.channels_last = training_.channels_last;
    options.device = training_.device;
    ApResult result;
    try {
      result = evaluate_detector(*shown_, *val_, options_.views, options);
    } catch (const Error& error) {
      save(run_log);
      if (error.exit() == Exit::kInterrupted) throw interrupted();
      throw;
    }
    evaluated_ = step_;
    run_log.evaluation(step_, result, *val_);
    if (result.all.ap <= best_ && std::filesystem::exists(folder_.best())) return;
    best_ = std::max(best_, result.all.ap);
    ship(folder_.best(), weights);
  }

  void save(RunLog& run_log) {
    run_log.flush();
    save_checkpoint_now();
  }

  void save_checkpoint_now() {
    Checkpoint checkpoint{step_, best_, student_.tensors(), facts_};
    checkpoint.metadata["evaluated"] = std::to_string(evaluated_);
    checkpoint.metadata["seconds"] = std::to_string(seconds_before_ + spent_.training);
    ship(folder_.last(), student_.shipped());
    save_checkpoint(folder_.checkpoints(), checkpoint, kKeptCheckpoints);
    saved_step_ = step_;
  }

  [[noreturn]] void interrupt(RunLog& run_log) {
    if (step_ > saved_step_) save(run_log);
    throw interrupted();
  }

  Error interrupted() const {
    return Error("interrupted after step " + std::to_string(step_) + " of " + std::to_string(training_.schedule.steps) +
                     (saved_step_ > 0 ? "; a checkpoint was written" : "; nothing was learnt yet"),
                 folder_.root.string(), saved_step_ > 0 ? "continue with --resume" : "", Exit::kInterrupted);
  }

  const RunOptions& options_;
  const TrainOptions& training_;
  const std::vector<Dataset>& datasets_;
  const std::optional<Dataset>& val_;
  const Coverage& coverage_;
  const std::vector<TeacherChannels>& teachers_;  // that training asks
  const RunFacts facts_;
  const RunFolder folder_;
  const at::Device device_;
  const ModelSpec spec_;
  const SystemClock clock_;
  StudentState student_;
  std::shared_ptr<Detector> shown_;  // what is evaluated; made on first use
  std::int64_t step_ = 0;            // optimizer steps done
  std::int64_t saved_step_ = 0;      // of the newest checkpoint
  std::int64_t evaluated_ = 0;       // the step of the newest evaluation
  double best_ = -1;
  double seconds_before_ = 0;  // of earlier processes
  TimeSpent spent_;
};

}  // namespace

Trainer::Trainer(RunOptions options, std::vector<TeacherChannels> teachers) : state_(std::make_unique<State>()) {
  State& state = *state_;
  state.options = std::move(options);
  state.teachers = std::move(teachers);
  check_options(state.options);
  for (const DatasetOptions& set : state.options.train) {
    state.datasets.push_back(load_dataset(set, state.options.classes));
    state.sets.push_back({set.name, state.datasets.back().labelled});
  }
  if (!state.options.val.name.empty()) state.val = load_dataset(state.options.val, state.options.classes);
  const FusionOptions& fusion = state.options.fusion;
  state.coverage = derive_coverage(fusion.method, fusion.both, state.options.classes, state.sets, state.teachers);
}

Trainer::~Trainer() = default;

const Coverage& Trainer::coverage() const {
  return state_->coverage;
}

std::string Trainer::coverage_text() const {
  return to_text(state_->coverage, state_->options.classes, state_->sets, state_->teachers);
}

RunResult Trainer::run(TargetSource& source, bool resume) {
  State& state = *state_;
  const RunOptions& options = state.options;
  const RunFolder folder = open_run_folder(options.run, resume);
  const int threads = use_threads(options.training.threads);
  use_deterministic_algorithms(device_of(options.training.device));
  if (!std::filesystem::exists(folder.environment())) write_environment(folder, options.training.device, threads);
  if (options.fusion.method == Method::kBackground) {
    log::warn("method background takes unlabelled objects for background: expect worse accuracy than `ignore`");
  }
  const RunFacts facts = run_facts(options, state.datasets, state.teachers);
  if (options.fusion.method == Method::kPseudo) {
    const std::size_t boxes =
        add_pseudo_labels(state.datasets, state.coverage, state.teachers, options, source, folder.pseudo(), resume);
    log::info("{} pseudo labels", boxes);
  }
  const bool live = asks_every_view(options.fusion.method);
  const std::unique_ptr<TargetSource> empty = make_empty_source();
  const std::vector<TeacherChannels> asked = live ? state.teachers : std::vector<TeacherChannels>();
  Training training(options, state.datasets, state.val, state.coverage, asked, facts, folder);
  if (resume) training.resume();
  RunResult result = training.run(live ? source : *empty);
  if (!live) result.source = source.stats();
  return result;
}

}  // namespace conclave
