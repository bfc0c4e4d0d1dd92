#include "student/trainer.h"

#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <sstream>

#include "core/error.h"
#include "core/file.h"
#include "core/stop.h"
#include "models/weights.h"
#include "student/checkpoint.h"
#include "student/run_folder.h"
#include "student/student_state.h"
#include "student/tiny_run.h"
#include "teachers/local_source.h"

namespace conclave {
namespace {

// Passes everything on; before take number `at` it does something else.
class Interfering final : public TargetSource {
 public:
  Interfering(std::unique_ptr<TargetSource> inner, int at, std::function<void()> action)
      : inner_(std::move(inner)), at_(at), action_(std::move(action)) {}
  void ask(const TargetRequest& request) override { inner_->ask(request); }
  void flush() override { inner_->flush(); }
  std::vector<SoftTargets> take() override {
    if (taken_++ == at_) action_();
    return inner_->take();
  }
  SourceStats stats() const override { return inner_->stats(); }

 private:
  std::unique_ptr<TargetSource> inner_;
  int at_, taken_ = 0;
  std::function<void()> action_;
};

// Does something once so many views were taken.
class Afterwards final : public TargetSource {
 public:
  Afterwards(std::unique_ptr<TargetSource> inner, int after, std::function<void()> action)
      : inner_(std::move(inner)), after_(after), action_(std::move(action)) {}
  void ask(const TargetRequest& request) override { inner_->ask(request); }
  void flush() override { inner_->flush(); }
  std::vector<SoftTargets> take() override {
    std::vector<SoftTargets> targets = inner_->take();
    if (++taken_ == after_) action_();
    return targets;
  }
  SourceStats stats() const override { return inner_->stats(); }

 private:
  std::unique_ptr<TargetSource> inner_;
  int after_, taken_ = 0;
  std::function<void()> action_;
};

struct Stall {
  void operator()() const { throw Error("no worker", "teacher red", {}, Exit::kStalled); }
};

RunResult train(const RunOptions& options, bool resume = false) {
  const auto source = make_empty_source();
  return Trainer(options, {}).run(*source, resume);
}

std::vector<TeacherChannels> two_teachers() {
  return {{"red", {0}, 1.0}, {"blue", {1}, 1.0}};
}

std::unique_ptr<TargetSource> local_source(const TinyRun& tiny, const RunOptions& options) {
  std::vector<std::unique_ptr<Engine>> engines;
  engines.push_back(std::make_unique<Engine>(tiny.make_teacher("red", 1), EngineOptions{}));
  engines.push_back(std::make_unique<Engine>(tiny.make_teacher("blue", 2), EngineOptions{}));
  return make_local_source(std::move(engines), options.views, sparse_options(options.fusion), 4);
}

std::vector<float> losses_of(const RunOptions& options) {
  std::istringstream trace(read_file(RunFolder{options.run}.trace()));
  std::vector<float> losses;
  std::string step, loss;
  while (trace >> step >> loss) losses.push_back(std::strtof(loss.c_str(), nullptr));
  return losses;
}

void expect_same_outcome(const RunOptions& a, const RunOptions& b) {
  EXPECT_EQ(read_file(RunFolder{a.run}.trace()), read_file(RunFolder{b.run}.trace()));
  EXPECT_EQ(read_file(RunFolder{a.run}.last()), read_file(RunFolder{b.run}.last()));
  EXPECT_EQ(read_file(RunFolder{a.run}.best()), read_file(RunFolder{b.run}.best()));
}

Exit exit_of(const std::function<void()>& action, std::string* what = nullptr) {
  try {
    action();
  } catch (const Error& error) {
    if (what != nullptr) *what = error.what();
    return error.exit();
  }
  return Exit::kOk;
}

TEST(Trainer, LearnsAndLeavesARun) {
  const TinyRun tiny;
  RunOptions options = tiny.options("labels");
  options.val = options.train.front();
  options.val.name = "val";
  options.training.schedule.steps = 60;
  options.training.eval_every = 30;
  options.training.checkpoint_every = 20;
  options.training.optimizer.lr = 4e-3;
  const RunResult result = train(options);
  EXPECT_EQ(result.steps, 60);
  const std::vector<float> losses = losses_of(options);
  ASSERT_EQ(losses.size(), 60u);
  const auto mean = [&](std::size_t first) {
    return std::accumulate(losses.begin() + static_cast<std::ptrdiff_t>(first),
                           losses.begin() + static_cast<std::ptrdiff_t>(first + 10), 0.0) /
           10;
  };
  EXPECT_LT(mean(50), 0.6 * mean(0));
  const RunFolder folder{options.run};
  EXPECT_EQ(load_detector(folder.best()).model->spec().classes, options.classes);
  EXPECT_TRUE(std::filesystem::exists(folder.environment()));
  std::istringstream metrics(read_file(folder.metrics()));
  int evaluations = 0, steps = 0;
  for (std::string row; std::getline(metrics, row);) {
    const auto parsed = nlohmann::json::parse(row);
    if (!parsed.contains("eval")) {
      ++steps;
      continue;
    }
    ++evaluations;
    EXPECT_EQ(parsed["eval"]["set"], "val");
    EXPECT_TRUE(parsed["eval"]["per_class"]["blue"].contains("ap50"));
  }
  EXPECT_EQ(evaluations, 2);
  EXPECT_EQ(steps, 20);
}

TEST(Trainer, ResumedIsBitIdenticalToUninterrupted) {
  const TinyRun tiny;
  RunOptions whole = tiny.options("whole"), parts = tiny.options("parts");
  for (RunOptions* options : {&whole, &parts}) {
    options->training.ema = 0.9;
    options->training.swa = {.every = 1, .from = 0.5, .norm_views = 6};  // goes on in the middle of the mean
    options->views.mosaic = options->views.mix = options->views.blur = 0.5;
  }
  train(whole);
  train(parts);
  expect_same_outcome(whole, parts);
  // Lost: everything after the checkpoint of step 8. The newest checkpoint is torn.
  std::filesystem::resize_file(RunFolder{parts.run}.checkpoints() / "step-00000012.safetensors", 500);
  std::ofstream(RunFolder{parts.run}.trace(), std::ios::app) << "13 0x";
  std::filesystem::remove_all(RunFolder{parts.run}.best().parent_path());
  train(parts, true);
  expect_same_outcome(whole, parts);
}

TEST(Trainer, AResumedRunCountsTheTimeOfAllItsParts) {
  const TinyRun tiny;
  RunOptions options = tiny.options("parts");
  const RunResult first = train(options);
  EXPECT_EQ(first.resumed_after, 0);
  std::filesystem::remove(RunFolder{options.run}.checkpoints() / "step-00000012.safetensors");
  const RunResult second = train(options, true);
  EXPECT_EQ(second.resumed_after, 8);
  EXPECT_GT(first.spent.training, 0);
  const std::string saved = load_checkpoint(RunFolder{options.run}.checkpoints())->metadata.at("seconds");
  EXPECT_NEAR(std::stod(saved), second.spent.training, 1e-3) << "saved after the last step";
  const RunResult third = train(options, true);
  EXPECT_EQ(third.resumed_after, 12);
  EXPECT_NEAR(third.spent.training, second.spent.training, 1e-3);
  EXPECT_NEAR(third.spent.data_wait, second.spent.data_wait, 1e-3);
}

// Weights that were best on other images say nothing about these.
TEST(Trainer, AnotherValidationSetChoosesTheBestWeightsAnew) {
  const TinyRun tiny;
  RunOptions options = tiny.options("run");
  options.training.eval_every = 4;
  options.val = options.train[0];
  options.val.limit = 3;
  train(options);
  const auto best_after = [&](double best) {
    Checkpoint checkpoint = *load_checkpoint(RunFolder{options.run}.checkpoints());
    std::filesystem::remove_all(RunFolder{options.run}.checkpoints());
    checkpoint.best = best;
    save_checkpoint(RunFolder{options.run}.checkpoints(), checkpoint);
    train(options, true);
    return load_checkpoint(RunFolder{options.run}.checkpoints())->best;
  };
  EXPECT_EQ(best_after(0.99), 0.99) << "the same set";
  options.val.limit = 5;
  EXPECT_LT(best_after(0.99), 0.9);
}

TEST(Trainer, DistilsFromALocalSourceAndSurvivesAStall) {
  const TinyRun tiny;
  const RunOptions whole = tiny.options("whole", Method::kKd, {}), parts = tiny.options("parts", Method::kKd, {});
  const RunResult result = Trainer(whole, two_teachers()).run(*local_source(tiny, whole), false);
  EXPECT_EQ(result.source.views, 48u);
  EXPECT_GT(result.source.bytes, 0u);
  EXPECT_EQ(losses_of(whole).size(), 12u);
  std::string what;
  EXPECT_EQ(exit_of(
                [&] {
                  Interfering source(local_source(tiny, parts), 22, Stall());
                  Trainer(parts, two_teachers()).run(source, false);
                },
                &what),
            Exit::kStalled);
  EXPECT_EQ(load_checkpoint(RunFolder{parts.run}.checkpoints())->step, 5);
  Trainer(parts, two_teachers()).run(*local_source(tiny, parts), true);
  expect_same_outcome(whole, parts);
}

TEST(Trainer, UsesNoLabelForKd) {
  const TinyRun tiny;
  const RunOptions with = tiny.options("with", Method::kKd), without = tiny.options("without", Method::kKd, {});
  for (const RunOptions* options : {&with, &without}) {
    Trainer(*options, two_teachers()).run(*local_source(tiny, *options), false);
  }
  EXPECT_EQ(losses_of(with), losses_of(without));
}

TEST(Trainer, StopsWhenTheLossIsNotFiniteAndKeepsTheLastGoodCheckpoint) {
  const TinyRun tiny;
  RunOptions options = tiny.options("diverges");
  options.training.schedule.steps = 40;
  options.training.optimizer.lr = 1e30;
  options.training.optimizer.clip = 0;
  options.training.checkpoint_every = 1000;
  std::string what;
  EXPECT_EQ(exit_of([&] { train(options); }, &what), Exit::kDiverged);
  EXPECT_NE(what.find("step"), std::string::npos);
  EXPECT_FALSE(load_checkpoint(RunFolder{options.run}.checkpoints()).has_value());
}

TEST(Trainer, RefusesToResumeWithAnotherConfiguration) {
  const TinyRun tiny;
  RunOptions options = tiny.options("run");
  train(options);
  options.training.optimizer.lr = 1;
  std::string what;
  EXPECT_EQ(exit_of([&] { train(options, true); }, &what), Exit::kUsage);
  EXPECT_NE(what.find("training.lr"), std::string::npos) << what;
  EXPECT_EQ(exit_of([&] { train(options, false); }, &what), Exit::kFailure);
  EXPECT_NE(what.find("already holds a run"), std::string::npos) << what;
}

TEST(Trainer, StartsFromTheBackboneAndNeckOfAnother) {
  const TinyRun tiny;
  RunOptions options = tiny.options("init");
  options.training.init = tiny.make_teacher("red", 77);
  options.training.schedule = {.steps = 1, .warmup = 0, .type = "constant", .milestones = {}};
  options.training.optimizer.lr = 0;
  train(options);
  const TensorMap student = state_of(*load_detector(RunFolder{options.run}.last()).model);
  const TensorMap teacher = state_of(*load_detector(options.training.init).model);
  EXPECT_TRUE(at::equal(student.at("backbone.conv1.weight"), teacher.at("backbone.conv1.weight")));
  EXPECT_FALSE(at::equal(student.at("heat.0.weight"), teacher.at("heat.0.weight")));
}

TEST(Trainer, StartsFromTheHeadsOfAnotherByTheNamesOfItsClasses) {
  const TinyRun tiny;
  RunOptions options = tiny.options("init");
  options.classes = {"blue", "red"};  // red is the second channel here and the only one there
  options.training.init = tiny.make_teacher("red", 77);
  options.training.init_heads = true;
  options.training.schedule = {.steps = 1, .warmup = 0, .type = "constant", .milestones = {}};
  options.training.optimizer.lr = 0;
  train(options);
  const TensorMap student = state_of(*load_detector(RunFolder{options.run}.last()).model);
  const TensorMap teacher = state_of(*load_detector(options.training.init).model);
  for (const std::string name : {"backbone.conv1.weight", "heat.0.weight", "heat.0.bias", "wh.0.weight", "wh.2.weight",
                                 "wh.2.bias", "offset.2.weight"}) {
    EXPECT_TRUE(at::equal(student.at(name), teacher.at(name))) << name;
  }
  EXPECT_TRUE(at::equal(student.at("heat.2.weight")[1], teacher.at("heat.2.weight")[0]));
  EXPECT_EQ(student.at("heat.2.bias")[1].item<float>(), 0.0F);
  EXPECT_FALSE(at::equal(student.at("heat.2.weight")[0], teacher.at("heat.2.weight")[0]));
  EXPECT_NEAR(student.at("heat.2.bias")[0].item<float>(), -2.19F, 1e-3F) << "a new class starts fresh";
}

TEST(Trainer, StartsNoHeadFromOneOfAnotherWidth) {
  const TinyRun tiny;
  RunOptions options = tiny.options("init");
  options.training.init = tiny.make_teacher("red", 77);
  options.training.init_heads = true;
  options.model.architecture.head_channels = 24;  // there 16
  options.training.schedule = {.steps = 1, .warmup = 0, .type = "constant", .milestones = {}};
  options.training.optimizer.lr = 0;
  train(options);
  const TensorMap student = state_of(*load_detector(RunFolder{options.run}.last()).model);
  EXPECT_NEAR(student.at("heat.2.bias")[0].item<float>(), -2.19F, 1e-3F) << "not the teacher's 0";
}

// The student of an earlier merge brings the old classes, another teacher the new one.
TEST(Trainer, LearnsFromATeacherOfSeveralClassesBesideOneOfANewClass) {
  const TinyRun tiny;
  RunOptions options = tiny.options("third", Method::kKd, {});
  options.classes = {"red", "green", "blue"};
  RunOptions before = tiny.options("before");
  train(before);
  options.training.init = RunFolder{before.run}.last().string();
  options.training.init_heads = true;
  std::vector<std::unique_ptr<Engine>> engines;
  engines.push_back(std::make_unique<Engine>(std::filesystem::path(options.training.init), EngineOptions{}));
  engines.push_back(std::make_unique<Engine>(tiny.make_teacher("green", 9), EngineOptions{}));
  const auto source = make_local_source(std::move(engines), options.views, sparse_options(options.fusion), 2);
  Trainer trainer(options, {{"yesterday", {0, 2}, 1.0}, {"new", {1}, 1.0}});
  EXPECT_NE(trainer.coverage_text().find("yesterday"), std::string::npos);
  trainer.run(*source, false);
  const std::string metrics = read_file(RunFolder{options.run}.metrics());
  EXPECT_NE(metrics.find("yesterday/heat"), std::string::npos);
  EXPECT_NE(metrics.find("new/heat"), std::string::npos);
}

TEST(Trainer, ShipsTheMeanOfItsLateWeights) {
  const TinyRun tiny;
  // Every set of weights, by trainings that differ in nothing but where the mean begins.
  const auto weights_of = [&](const std::string& name, const SwaOptions& swa, double ema = 0) {
    RunOptions options = tiny.options(name);
    options.training.swa = swa;
    options.training.ema = ema;
    options.training.checkpoint_every = 3;
    train(options);
    return load_checkpoint(RunFolder{options.run}.checkpoints())->tensors;
  };
  const TensorMap mean = weights_of("mean", {.every = 3, .from = 0.5, .norm_views = 0}, 0.9);  // of steps 9 and 12
  EXPECT_EQ(mean.at("swa_counted").item<std::int64_t>(), 2);
  RunOptions options = tiny.options("plain");
  options.training.checkpoint_every = 3;
  train(options);
  const RunFolder plain{options.run};
  const TensorMap last = load_checkpoint(plain.checkpoints())->tensors;
  std::filesystem::remove(plain.checkpoints() / "step-00000012.safetensors");
  const TensorMap before = load_checkpoint(plain.checkpoints())->tensors;
  for (const auto& [name, tensor] : last) {
    if (!name.starts_with("model/") || !tensor.is_floating_point()) continue;
    EXPECT_TRUE(at::equal(tensor, mean.at(name))) << name << ": the mean must not touch the training";
    const at::Tensor expected = (before.at(name) + tensor) / 2;
    EXPECT_TRUE(at::allclose(mean.at("swa/" + name.substr(6)), expected, 1e-5, 1e-7)) << name;
  }
  const TensorMap shipped = state_of(*load_detector(RunFolder{(tiny.folder.path() / "mean").string()}.last()).model);
  EXPECT_TRUE(at::equal(shipped.at("heat.0.weight"), mean.at("swa/heat.0.weight")));
  EXPECT_TRUE(at::equal(shipped.at("backbone.bn1.running_var"), mean.at("swa/backbone.bn1.running_var")));

  const TensorMap retaken = weights_of("retaken", {.every = 3, .from = 0.5, .norm_views = 8});
  const TensorMap own = state_of(*load_detector(RunFolder{(tiny.folder.path() / "retaken").string()}.last()).model);
  EXPECT_TRUE(at::equal(own.at("heat.0.weight"), retaken.at("swa/heat.0.weight")));
  EXPECT_FALSE(at::equal(own.at("backbone.bn1.running_var"), retaken.at("swa/backbone.bn1.running_var")));
  EXPECT_EQ(own.at("backbone.bn1.num_batches_tracked").item<std::int64_t>(),
            retaken.at("swa/backbone.bn1.num_batches_tracked").item<std::int64_t>() + 2);
}

TEST(Trainer, KeepsACheckpointWhereTheImagesForTheMeansStatisticsAreGone) {
  const TinyRun tiny;
  const auto images = tiny.folder.path() / "images", away = tiny.folder.path() / "away";
  RunOptions options = tiny.options("broken", Method::kKd, {}), whole = tiny.options("whole", Method::kKd, {});
  for (RunOptions* each : {&options, &whole}) {
    each->training.swa = {.every = 1, .from = 0.5, .norm_views = 8};
    each->training.checkpoint_every = 100;
    each->val = {};
  }
  Trainer(whole, two_teachers()).run(*local_source(tiny, whole), false);
  std::string what;
  EXPECT_NE(exit_of(
                [&] {
                  Afterwards source(local_source(tiny, options), 48, [&] { std::filesystem::rename(images, away); });
                  Trainer(options, two_teachers()).run(source, false);
                },
                &what),
            Exit::kOk);
  EXPECT_FALSE(std::filesystem::exists(RunFolder{options.run}.last()));
  const std::optional<Checkpoint> kept = load_checkpoint(RunFolder{options.run}.checkpoints());
  ASSERT_TRUE(kept.has_value()) << what;
  EXPECT_EQ(kept->step, 12);
  std::filesystem::rename(away, images);
  Trainer(options, two_teachers()).run(*local_source(tiny, options), true);
  expect_same_outcome(options, whole);
}

TEST(Trainer, BeforeTheMeanBeginsShipsItsMovingAverage) {
  const TinyRun tiny;
  RunOptions options = tiny.options("run");
  options.training.ema = 0.9;
  options.training.swa = {.every = 1, .from = 0.9, .norm_views = 8};  // steps 11 and 12 of 12
  train(options);
  const RunFolder folder{options.run};
  EXPECT_EQ(load_checkpoint(folder.checkpoints())->tensors.at("swa_counted").item<std::int64_t>(), 2);
  std::filesystem::remove(folder.checkpoints() / "step-00000012.safetensors");
  const TensorMap at_eight = load_checkpoint(folder.checkpoints())->tensors;
  EXPECT_FALSE(at_eight.contains("swa_counted"));
  EXPECT_TRUE(at_eight.contains("ema/heat.0.weight"));
  ProcessGroup alone;
  StudentState student(options, at::kCPU, alone);
  student.load(at_eight, "test");
  EXPECT_FALSE(student.ships_mean());
  EXPECT_TRUE(at::equal(student.shipped().at("heat.0.weight"), at_eight.at("ema/heat.0.weight")));
}

TEST(Trainer, MakesPseudoLabelsOnceAndTrainsOnThem) {
  const TinyRun tiny;
  RunOptions options = tiny.options("pseudo", Method::kPseudo, {"red"});
  options.fusion.pseudo.threshold = 0.3;
  Trainer(options, two_teachers()).run(*local_source(tiny, options), false);
  const RunFolder folder{options.run};
  std::ifstream journal(folder.pseudo());
  std::string line;
  std::getline(journal, line);
  std::getline(journal, line);
  std::size_t boxes = 0;
  while (std::getline(journal, line)) {
    for (const auto& row : nlohmann::json::parse(line)) {
      EXPECT_EQ(row[0], 1) << "red is labelled: no pseudo label";
      EXPECT_GE(row[1], 0.3);
      ++boxes;
    }
  }
  EXPECT_GT(boxes, 0u);
  const std::vector<float> losses = losses_of(options);
  // A killed run goes on with the saved boxes and never asks the teachers again.
  std::filesystem::remove(folder.checkpoints() / "step-00000012.safetensors");
  Interfering silent(local_source(tiny, options), 0, Stall());
  Trainer(options, two_teachers()).run(silent, true);
  EXPECT_EQ(losses_of(options), losses);
}

TEST(Trainer, LeavesWhatTeachersSaidAloneWhereItMayNotGoOn) {
  const TinyRun tiny;
  RunOptions options = tiny.options("pseudo", Method::kPseudo, {"red"});
  options.fusion.pseudo.threshold = 0.3;
  Trainer(options, two_teachers()).run(*local_source(tiny, options), false, "as begun");
  const RunFolder folder{options.run};
  const std::string said = read_file(folder.pseudo());
  options.fusion.pseudo.threshold = 0.4;
  std::string what;
  EXPECT_EQ(exit_of([&] { Trainer(options, two_teachers()).run(*local_source(tiny, options), true, "other"); }, &what),
            Exit::kUsage);
  EXPECT_NE(what.find("the checkpoint belongs to a run with another configuration"), std::string::npos) << what;
  EXPECT_EQ(read_file(folder.pseudo()), said);
  EXPECT_EQ(read_file(folder.config()), "as begun");
  options.fusion.pseudo.threshold = 0.3;
  options.training.log_every = 3;
  Trainer(options, two_teachers()).run(*local_source(tiny, options), true, "with changes that are allowed");
  EXPECT_EQ(read_file(folder.config()), "with changes that are allowed");
}

TEST(Trainer, MakesPseudoLabelsOfEveryView) {
  const TinyRun tiny;
  RunOptions options = tiny.options("per-view", Method::kPseudo, {"red"});
  options.fusion.pseudo.threshold = 0.3;
  options.fusion.pseudo.per_view = true;
  RunOptions soft = options, resumed = options, once = options;
  soft.run += "-soft";
  soft.fusion.pseudo.soft = true;
  resumed.run += "-resumed";
  once.run += "-once";
  once.fusion.pseudo.per_view = false;
  const RunResult result = Trainer(options, two_teachers()).run(*local_source(tiny, options), false);
  EXPECT_EQ(result.source.views, 12u * 4);
  Trainer(once, two_teachers()).run(*local_source(tiny, once), false);
  EXPECT_NE(losses_of(options), losses_of(once));
  Trainer(soft, two_teachers()).run(*local_source(tiny, soft), false);
  EXPECT_NE(losses_of(options), losses_of(soft));
  std::string what;
  EXPECT_EQ(exit_of(
                [&] {
                  Interfering source(local_source(tiny, resumed), 30, Stall());
                  Trainer(resumed, two_teachers()).run(source, false);
                },
                &what),
            Exit::kStalled)
      << what;
  Trainer(resumed, two_teachers()).run(*local_source(tiny, resumed), true);
  expect_same_outcome(options, resumed);
  soft.run = options.run;
  EXPECT_EQ(exit_of([&] { Trainer(soft, two_teachers()).run(*local_source(tiny, soft), true); }, &what), Exit::kUsage);
  EXPECT_NE(what.find("fusion.pseudo"), std::string::npos) << what;
}

TEST(TrainerDeathTest, WritesACheckpointWhenASignalComes) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        const TinyRun tiny;
        const RunOptions options = tiny.options("stopped", Method::kKd, {});
        install_stop_signals();
        const Exit exit = exit_of([&] {
          Interfering source(local_source(tiny, options), 9, [] { std::raise(SIGTERM); });
          Trainer(options, two_teachers()).run(source, false);
        });
        const auto checkpoint = load_checkpoint(RunFolder{options.run}.checkpoints());
        const bool kept = checkpoint && checkpoint->step >= 2 && checkpoint->step <= 3;
        std::_Exit(kept ? static_cast<int>(exit) : 99);
      },
      testing::ExitedWithCode(static_cast<int>(Exit::kInterrupted)), "");
}

}  // namespace
}  // namespace conclave
