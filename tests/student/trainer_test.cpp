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
  for (RunOptions* options : {&whole, &parts}) options->training.ema = 0.9;
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

TEST(Trainer, MakesPseudoLabelsOnceAndTrainsOnThem) {
  const TinyRun tiny;
  RunOptions options = tiny.options("pseudo", Method::kPseudo, {"red"});
  Trainer(options, two_teachers()).run(*local_source(tiny, options), false);
  const RunFolder folder{options.run};
  const auto json = nlohmann::json::parse(read_file(folder.pseudo()));
  std::size_t boxes = 0;
  for (const auto& view : json["views"]) {
    for (const auto& row : view) {
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
