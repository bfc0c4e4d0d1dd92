#include "student/training.h"

#include <algorithm>

#include "core/error.h"
#include "core/log.h"
#include "core/stop.h"
#include "ranks/sync_batch_norm.h"
#include "student/batch.h"
#include "student/checkpoint.h"
#include "student/device.h"
#include "student/evaluate.h"
#include "student/norm_statistics.h"
#include "student/sampler.h"
#include "student/saved_progress.h"
#include "student/schedule.h"

namespace conclave {
namespace {

constexpr int kKeptCheckpoints = 2;

// Kept in the metadata of weights; nothing that differs between two equal runs.
std::map<std::string, std::string> provenance(std::int64_t step, std::uint64_t seed) {
  return {{"step", std::to_string(step)}, {"seed", std::to_string(seed)}};
}

}  // namespace

void check_resumable(const RunFolder& folder, const RunFacts& facts) {
  const std::optional<Checkpoint> checkpoint = load_checkpoint(folder.checkpoints());
  if (checkpoint) take_progress(checkpoint->metadata, facts, folder.checkpoints().string());
}

Training::Training(const TrainingInput& input, RunFacts facts)
    : options_(input.options),
      training_(input.options.training),
      datasets_(input.datasets),
      val_(input.val),
      coverage_(input.coverage),
      teachers_(input.teachers),
      ranks_(input.ranks),
      pseudo_(input.pseudo),
      facts_(std::move(facts)),
      validation_(input.val ? content_of(*input.val) : "none"),
      folder_{input.options.run},
      share_(training_.batch / ranks_.size()),
      device_(device_of(training_.device, ranks_.world().local_rank)),
      spec_(spec_of(options_)),
      student_(options_, device_, ranks_),
      phases_(clock_) {
  spent_.labelling = input.labelling;
  if (training_.trace_steps == 0) return;
  const std::string name = "rank-" + std::to_string(ranks_.rank());
  std::filesystem::create_directories(folder_.root / "trace");
  trace_.emplace(folder_.root / "trace" / (name + ".json"), name, ranks_.rank());
}

// All ranks continue from what rank 0 finds.
void Training::resume() {
  on_writer([this] { load(); });
  const at::Tensor progress =
      at::tensor({static_cast<double>(step_), static_cast<double>(evaluated_), best_}, at::kDouble);
  ranks_.broadcast({progress});
  step_ = saved_step_ = static_cast<std::int64_t>(progress[0].item<double>());
  evaluated_ = static_cast<std::int64_t>(progress[1].item<double>());
  best_ = progress[2].item<double>();
}

void Training::load() {
  const std::string where = folder_.checkpoints().string();
  const std::optional<Checkpoint> checkpoint = load_checkpoint(folder_.checkpoints());
  if (!checkpoint) {
    log::info("{}: no checkpoint, training starts at step 0", where);
    return;
  }
  const SavedProgress progress = take_progress(checkpoint->metadata, facts_, where);
  student_.load(checkpoint->tensors, where);
  step_ = checkpoint->step;
  best_ = checkpoint->best;
  evaluated_ = progress.evaluated;
  before_ = progress.spent;
  if (!progress.validation.empty() && progress.validation != validation_) {
    best_ = -1;
    evaluated_ = 0;
    log::warn("data.val is not what it was: the best weights are chosen anew, from here on");
  }
  log::info("training goes on after step {}", step_);
}

RunResult Training::run(TargetSource& source) {
  student_.share(ranks_);  // one start: what rank 0 resumed, or found under training.init
  const std::int64_t steps = training_.schedule.steps;
  Sampler sampler = make_sampler(static_cast<std::uint64_t>(steps) * training_.batch);
  std::uint64_t taken = static_cast<std::uint64_t>(step_) * share_;  // views of this rank
  Loader loader(datasets_, options_.views, std::max(1, training_.loader_threads));
  const std::size_t in_flight = std::max<std::size_t>(training_.window / ranks_.size(), share_);
  Window window(
      datasets_, loader, source, [&] { return sampler.at(position_of(taken++)); }, in_flight);
  if (ranks_.writes()) run_log_ = std::make_unique<RunLog>(folder_, training_, sampler.images(), step_);
  board_ = std::make_unique<StatusBoard>(options_, ranks_.rank(), ranks_.size(), source, step_);
  const std::vector<std::string> pages = ranks_.gather(board_->address());
  on_writer([&] { board_->publish(folder_.status(), pages); });
  if (trace_) phases_.record(*trace_, step_ + training_.trace_steps);
  const std::int64_t first_step = step_;
  if (step_ > 0 && evaluation_due() && evaluated_ != step_) {  // interrupted in the middle of it
    evaluate();
    save();
  }

  while (step_ < steps) {
    const TimePoint start = clock_.now();
    phases_.at_step(step_ + 1);
    phases_.enter("views");
    const std::vector<JoinedView> views = take(window);
    phases_.enter("batch");
    const Batch batch = to_device(make_batch(views, coverage_, teachers_, options_.fusion, pseudo_), device_);
    phases_.enter("forward");
    const HeadOutputs heads = forward(batch.images);
    phases_.enter("loss");
    const Losses losses = fuse(heads, batch.targets, teachers_, options_.fusion,
                               [this](const std::vector<at::Tensor>& counts) { ranks_.sum(counts); });
    phases_.enter("backward");
    student_.backward(losses.total);
    phases_.enter("update");
    const at::Tensor norm = clip_gradients(student_.optimizer().parameters(), training_.optimizer.clip);
    const StepValues values = read_values(losses, norm, ranks_);
    check_finite(values, step_ + 1, folder_.root.string());
    const double lr = learning_rate(training_.schedule, training_.optimizer.lr, step_);
    student_.update(lr, step_);
    ++step_;
    phases_.enter("log");
    spent_.training += (clock_.now() - start).count();
    log_step(lr, values, window);

    if (evaluation_due()) evaluate();
    if (step_ == steps || step_ % training_.checkpoint_every == 0) save();
    phases_.leave();
  }
  on_writer([this] { writer_.finish(); });
  board_.reset();
  RunResult result;
  result.steps = step_;
  result.resumed_after = first_step;
  result.spent = before_ + spent_;
  const double seconds = result.spent.training;
  result.images_per_second = seconds > 0 ? static_cast<double>(step_ * training_.batch) / seconds : 0;
  result.source = source.stats();
  if (first_step < steps) log::info("{} steps in {:.1f} s, {:.1f} images/s", step_, seconds, result.images_per_second);
  return result;
}

// Where this rank's n-th view stands in the sampler's order: each batch is cut into as many parts as there are ranks.
std::uint64_t Training::position_of(std::uint64_t n) const {
  const auto share = static_cast<std::uint64_t>(share_);
  const auto batch = static_cast<std::uint64_t>(training_.batch);
  return n / share * batch + static_cast<std::uint64_t>(ranks_.rank()) * share + n % share;
}

// This rank's part of a batch. Whatever stops the views of any rank from coming, what was learnt so far is kept.
std::vector<JoinedView> Training::take(Window& window) {
  std::vector<JoinedView> views;
  saved_if_it_fails([&] {
    ranks_.together([&] {
      writer_.check();
      if (stop_requested()) throw interrupted();
      views = window.take(static_cast<std::size_t>(share_));
    });
  });
  return views;
}

HeadOutputs Training::forward(const at::Tensor& pixels) {
  student_.before_forward();
  return forward(student_.model(), pixels);
}

HeadOutputs Training::forward(Detector& model, const at::Tensor& pixels) {
  at::Tensor images = normalise(pixels, spec_);
  if (training_.channels_last) images = images.contiguous(at::MemoryFormat::ChannelsLast);
  const Autocast autocast(device_, training_.bf16);
  const HeadOutputs heads = model.forward(images);
  return {heads.heat.to(at::kFloat), heads.wh.to(at::kFloat), heads.offset.to(at::kFloat)};
}

// On every rank.
const TensorMap& Training::shipped() {
  if (shipped_at_ == step_) return shipped_;
  shipped_at_ = -1;
  shipped_ = student_.shipped();
  if (retakes_statistics()) retake_statistics_of_mean();
  shipped_at_ = step_;
  return shipped_;
}

// Those of the mean of the weights.
bool Training::retakes_statistics() const {
  return student_.ships_mean() && training_.swa.norm_views > 0 && !training_.norm_eval;
}

// From the first views of the training, in batches as it has them.
void Training::retake_statistics_of_mean() {
  if (!mean_) {
    mean_ = make_detector(spec_, options_.seed);
    place(*mean_, device_, training_.channels_last);
    synchronise_norms(*mean_, ranks_);
  }
  load_state(*mean_, shipped_, "the mean of the weights");
  const int batches = (training_.swa.norm_views + training_.batch - 1) / training_.batch;
  Sampler sampler = make_sampler(static_cast<std::uint64_t>(batches) * training_.batch);
  Loader loader(datasets_, options_.views, std::max(1, training_.loader_threads));
  std::uint64_t asked = 0;
  const auto ask_batch = [&] {
    for (int i = 0; i < share_; ++i) {
      if (const auto key = sampler.at(position_of(asked++))) loader.ask(*key);
    }
  };
  ask_batch();
  retake_statistics(*mean_, batches, [&](int) {
    ask_batch();
    std::vector<View> views;
    ranks_.together([&] {
      for (int i = 0; i < share_; ++i) views.push_back(loader.take());
    });
    std::vector<const View*> drawn;
    for (const View& view : views) drawn.push_back(&view);
    forward(*mean_, stack_pixels(drawn).to(device_));
  });
  for (const auto& [name, tensor] : state_of(*mean_)) {
    shipped_[name] = tensor.detach().to(at::kCPU, /*non_blocking=*/false, /*copy=*/true).contiguous();
  }
}

Sampler Training::make_sampler(std::uint64_t views) const {
  std::vector<std::size_t> sizes;
  for (const Dataset& dataset : datasets_) sizes.push_back(dataset.images.size());
  return Sampler(sizes, options_.seed, views, repeated_views(datasets_, options_.views_per_image));
}

void Training::log_step(double lr, const StepValues& values, const Window& window) {
  spent_.data_wait = window.data_wait();
  spent_.teacher_wait = window.teacher_wait();
  if (run_log_) run_log_->step(step_, lr, values, spent_);
  board_->step(step_, lr, values, spent_, phases_);
}

bool Training::evaluation_due() const {
  return step_ == training_.schedule.steps || (training_.eval_every > 0 && step_ % training_.eval_every == 0);
}

// Without a validation set the last weights are the best known.
void Training::evaluate() {
  phases_.enter("evaluate");
  board_->phase("evaluating");
  saved_if_it_fails([this] { shipped(); });
  const TensorMap& weights = shipped_;
  const auto ship_best = [&] {
    check_weights(weights, folder_.best());
    save_detector(folder_.best(), spec_, weights, provenance(step_, options_.seed));
  };
  if (!val_) {
    evaluated_ = step_;
    return on_writer(ship_best);
  }
  if (!shown_) shown_ = make_detector(spec_, options_.seed);
  load_state(*shown_, weights, "the student");
  EvaluateOptions options;
  options.batch = training_.eval_batch;
  options.loader_threads = training_.loader_threads;
  options.bf16 = training_.bf16;
  options.channels_last = training_.channels_last;
  options.device = device_.str();
  ApResult result;
  saved_if_it_fails([&] { result = evaluate_detector(*shown_, *val_, options_.views, options, ranks_); });
  evaluated_ = step_;
  if (run_log_) run_log_->evaluation(step_, result, *val_);
  const bool best = result.all.ap > best_;
  best_ = std::max(best_, result.all.ap);
  on_writer([&] {
    if (best || !std::filesystem::exists(folder_.best())) ship_best();
  });
}

// The training goes on while the copies are written; it waits where the checkpoint before is still being written. What
// has to look at images again, and may fail, comes after the checkpoint.
void Training::save(bool may_retake) {
  phases_.enter("save");
  board_->phase("saving");
  ranks_.barrier();  // a rank lost in the middle of this step would leave half of its sums in the weights
  const bool ship_later = shipped_at_ != step_ && retakes_statistics();
  if (!ship_later) shipped();
  on_writer([&] {
    run_log_->flush();
    Checkpoint checkpoint{step_, best_, student_.tensors(), facts_};
    put_progress({evaluated_, validation_, before_ + spent_}, checkpoint.metadata);
    TensorMap weights = ship_later ? TensorMap() : shipped_;
    check_weights(weights, folder_.last());
    writer_.start([this, step = step_, checkpoint = std::move(checkpoint), weights = std::move(weights)] {
      if (!weights.empty()) save_detector(folder_.last(), spec_, weights, provenance(step, options_.seed));
      save_checkpoint(folder_.checkpoints(), checkpoint, kKeptCheckpoints);
    });
  });
  saved_step_ = step_;
  if (!ship_later || !may_retake) return;
  shipped();
  on_writer([this] {
    check_weights(shipped_, folder_.last());
    writer_.start([this, step = step_, weights = shipped_] {
      save_detector(folder_.last(), spec_, weights, provenance(step, options_.seed));
    });
  });
}

// What fails here fails on all ranks, after a whole step, unless a rank is lost.
void Training::saved_if_it_fails(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    if (error.exit() == Exit::kRankLost) throw;  // nothing can be agreed on any more
    if (step_ > saved_step_) save(/*may_retake=*/false);
    on_writer([this] { writer_.finish(); });
    if (error.exit() == Exit::kInterrupted) throw interrupted();
    throw;
  }
}

// Writes files on rank 0; all ranks wait for it, and fail when it does.
void Training::on_writer(const std::function<void()>& action) {
  ranks_.together([&] {
    if (ranks_.writes()) action();
  });
}

void Training::check_weights(const TensorMap& weights, const std::filesystem::path& path) const {
  for (const auto& [name, tensor] : weights) {
    if (tensor.is_floating_point() && !at::isfinite(tensor).all().item<bool>()) {
      throw Error("the weights of " + name + " are not finite after step " + std::to_string(step_), path.string(),
                  "the last good files are kept; lower training.lr, or set training.clip", Exit::kDiverged);
    }
  }
}

Error Training::interrupted() const {
  return Error("interrupted after step " + std::to_string(step_) + " of " + std::to_string(training_.schedule.steps) +
                   (saved_step_ > 0 ? "; a checkpoint was written" : "; nothing was learnt yet"),
               folder_.root.string(), saved_step_ > 0 ? "continue with --resume" : "", Exit::kInterrupted);
}

}  // namespace conclave
