// Trainings by several ranks: real processes that meet over Gloo.
#include <gtest/gtest.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "core/error.h"
#include "core/file.h"
#include "core/stop.h"
#include "models/weights.h"
#include "student/checkpoint.h"
#include "student/evaluate.h"
#include "student/run_folder.h"
#include "student/tiny_run.h"
#include "student/trainer.h"
#include "support/rank_processes.h"
#include "teachers/local_source.h"

namespace conclave {
namespace {

std::vector<TeacherChannels> teachers_of(const RunOptions& options) {
  if (!needs_teachers(options.fusion.method)) return {};
  return {{"red", {0}, 1.0}, {"blue", {static_cast<int>(options.classes.size()) - 1}, 1.0}};
}

std::unique_ptr<TargetSource> source_of(const TinyRun& tiny, const RunOptions& options) {
  if (!needs_teachers(options.fusion.method)) return make_empty_source();
  std::vector<std::unique_ptr<Engine>> engines;
  engines.push_back(std::make_unique<Engine>(tiny.make_teacher("red", 1), EngineOptions{}));
  engines.push_back(std::make_unique<Engine>(tiny.make_teacher("blue", 2), EngineOptions{}));
  return make_local_source(std::move(engines), options.views, sparse_options(options.fusion), 2);
}

void train(const TinyRun& tiny, const RunOptions& options, ProcessGroup& ranks, bool resume = false) {
  const auto source = source_of(tiny, options);
  Trainer(options, teachers_of(options), ranks).run(*source, resume);
}

std::vector<double> losses_of(const RunOptions& options) {
  std::istringstream trace(read_file(RunFolder{options.run}.trace()));
  std::vector<double> losses;
  for (std::string step, loss; trace >> step >> loss;) losses.push_back(std::strtod(loss.c_str(), nullptr));
  return losses;
}

// Statistics of the last layers carry the rounding of twenty normalisations before them: ten times the tolerance.
void expect_close(const RunOptions& a, const RunOptions& b, double tolerance) {
  const std::vector<double> mine = losses_of(a), other = losses_of(b);
  ASSERT_EQ(mine.size(), other.size());
  for (std::size_t i = 0; i < mine.size(); ++i) EXPECT_NEAR(mine[i], other[i], tolerance * std::abs(other[i])) << i;
  const TensorMap x = state_of(*load_detector(RunFolder{a.run}.last()).model);
  const TensorMap y = state_of(*load_detector(RunFolder{b.run}.last()).model);
  for (const auto& [name, tensor] : x) {
    const double scale = std::max(1.0, y.at(name).to(at::kDouble).abs().max().item<double>());
    const double difference = (tensor.to(at::kDouble) - y.at(name).to(at::kDouble)).abs().max().item<double>();
    const bool statistic = name.find("running_") != std::string::npos;
    EXPECT_LT(difference, (statistic ? 10 : 1) * tolerance * scale) << name;
  }
}

struct RanksCase {
  std::string name;
  Method method = Method::kKd;
  DistillLoss loss = DistillLoss::kQfl;
  std::vector<std::string> labelled = {};
  bool per_class = true;
  PseudoOptions pseudo = {.threshold = 0.3};
  bool swa = false;
  bool balance = false;
  std::optional<std::vector<std::string>> second_set = {};  // beside the first, labelled so
  std::optional<Merge> shared = {};                         // both teachers see red, merged so
};

RunOptions options_of(const TinyRun& tiny, const RanksCase& given, const std::string& folder) {
  RunOptions options = tiny.options(folder, given.method, given.labelled);
  options.fusion.loss = given.loss;
  options.fusion.per_class = given.per_class;
  options.fusion.pseudo = given.pseudo;
  options.fusion.balance.fixed_value = given.balance;
  if (given.shared) {
    options.fusion.merge = *given.shared;
    options.classes = {"red"};
  }
  if (given.second_set) {
    options.train.push_back(options.train.front());
    options.train.back().name = "more";
    options.train.back().labelled = *given.second_set;
  }
  TrainOptions& training = options.training;
  training.bf16 = false;
  training.schedule.steps = 6;
  training.ema = 0.9;
  if (given.swa) training.swa = {.every = 2, .from = 0.3, .norm_views = 8};
  // Small plain steps: where one rounding turns a ReLU over, longer ones go another way, and Adam makes steps of a
  // gradient that is nothing but rounding (of a bias before a normalisation).
  training.optimizer.type = "sgd";
  training.optimizer.lr = 1e-4;
  training.optimizer.clip = 1;  // less than the gradients
  return options;
}

class TwoRanks : public ::testing::TestWithParam<RanksCase> {};

TEST_P(TwoRanks, LearnWhatOneProcessLearnsFromTheWholeBatches) {
  const RanksCase given = GetParam();
  in_ranks(2, [&](ProcessGroup& ranks) {
    const TinyRun tiny;
    const RunOptions two = options_of(tiny, given, "two"), one = options_of(tiny, given, "one");
    train(tiny, two, ranks);
    ranks.barrier();
    if (!ranks.writes()) {
      const RunFolder own{two.run};  // in a folder of its own here
      for (const auto& path : {own.trace(), own.metrics(), own.last(), own.checkpoints(), own.environment()}) {
        EXPECT_FALSE(std::filesystem::exists(path)) << path << ": rank 0 writes the run";
      }
      return;
    }
    ProcessGroup alone;
    train(tiny, one, alone);
    expect_close(two, one, 2e-5);
  });
}

INSTANTIATE_TEST_SUITE_P(
    Every, TwoRanks,
    ::testing::Values(RanksCase{"kd", Method::kKd, DistillLoss::kQfl, {}},
                      RanksCase{"kd_relu", Method::kKd, DistillLoss::kRelu, {}},
                      RanksCase{"kd_bce", Method::kKd, DistillLoss::kBce, {}},
                      RanksCase{"kd_prob_peaks", Method::kKd, DistillLoss::kProbPeaks, {}},
                      RanksCase{.name = "kd_balanced", .balance = true},
                      RanksCase{"kd_labels", Method::kKdLabels, DistillLoss::kQfl, {"red"}},
                      RanksCase{"kd_labels_relu", Method::kKdLabels, DistillLoss::kRelu, {"blue"}},
                      RanksCase{"labels", Method::kLabels, DistillLoss::kQfl, {"red", "blue"}},
                      RanksCase{"labels_joint", Method::kLabels, DistillLoss::kQfl, {"red", "blue"}, false},
                      RanksCase{.name = "ignore",
                                .method = Method::kIgnore,
                                .labelled = {"red"},
                                .second_set = std::vector<std::string>{"blue"}},
                      RanksCase{.name = "kd_labels_on_some_views",
                                .method = Method::kKdLabels,
                                .labelled = {"red"},
                                .second_set = std::vector<std::string>()},
                      RanksCase{.name = "kd_shared", .labelled = {}, .shared = Merge::kMean},
                      RanksCase{"labels_swa", Method::kLabels, DistillLoss::kQfl, {"red", "blue"}, true, {}, true},
                      RanksCase{"pseudo", Method::kPseudo, DistillLoss::kQfl, {"red"}},
                      RanksCase{"pseudo_per_view",
                                Method::kPseudo,
                                DistillLoss::kQfl,
                                {"red"},
                                true,
                                {.per_view = true, .threshold = 0.3, .soft = true}}),
    [](const auto& test) { return test.param.name; });

TEST(TrainerRanks, AdamGivesTheSameLosses) {
  in_ranks(4, [](ProcessGroup& ranks) {
    const TinyRun tiny;
    RunOptions four = options_of(tiny, {"kd", Method::kKdLabels, DistillLoss::kQfl, {"red"}}, "four");
    four.training.optimizer.type = "adamw";
    four.training.optimizer.lr = 1e-5;
    RunOptions one = four;
    one.run += "-one";
    train(tiny, four, ranks);
    ranks.barrier();
    if (!ranks.writes()) return;
    ProcessGroup alone;
    train(tiny, one, alone);
    const std::vector<double> mine = losses_of(four), other = losses_of(one);
    ASSERT_EQ(mine.size(), 6u);
    for (std::size_t i = 0; i < 6; ++i) EXPECT_NEAR(mine[i], other[i], 1e-4 * other[i]) << i;
  });
}

TEST(TrainerRanks, GiveTheSameBitsRunToRunAndAfterResuming) {
  in_ranks(2, [](ProcessGroup& ranks) {
    const TinyRun tiny;
    const auto options = [&](const std::string& folder) {
      RunOptions run = options_of(tiny, {"kd", Method::kKd, DistillLoss::kQfl, {}}, folder);
      run.training.schedule.steps = 8;
      run.training.bf16 = true;
      run.ranks.bf16_gradients = true;
      run.training.optimizer.type = "adamw";
      return run;
    };
    const RunOptions first = options("first"), second = options("second");
    train(tiny, first, ranks);
    train(tiny, second, ranks);
    const auto expect_same = [&] {
      if (!ranks.writes()) return;
      EXPECT_EQ(read_file(RunFolder{first.run}.trace()), read_file(RunFolder{second.run}.trace()));
      EXPECT_EQ(read_file(RunFolder{first.run}.last()), read_file(RunFolder{second.run}.last()));
    };
    expect_same();
    if (ranks.writes()) std::filesystem::remove(RunFolder{second.run}.checkpoints() / "step-00000008.safetensors");
    train(tiny, second, ranks, /*resume=*/true);
    expect_same();
  });
}

TEST(TrainerRanks, ScoreAValidationSetAsOneProcessDoes) {
  in_ranks(3, [](ProcessGroup& ranks) {
    const TinyRun tiny;
    const RunOptions options = tiny.options("unused");
    RunOptions own = options;
    own.classes = {"red"};
    const auto model = load_detector(tiny.make_teacher("red", 4)).model;
    const Dataset red = load_dataset(own.train.front(), own.classes);
    EvaluateOptions evaluate;
    evaluate.batch = 4;
    ProcessGroup alone;
    const ApResult shared = evaluate_detector(*model, red, options.views, evaluate, ranks);
    const ApResult whole = evaluate_detector(*model, red, options.views, evaluate, alone);
    EXPECT_EQ(ap_json(shared, red).dump(), ap_json(whole, red).dump());
    EXPECT_GE(whole.all.ar100, 0);
  });
}

TEST(TrainerRanks, RefuseABatchThatTheyCantShareEqually) {
  in_ranks(3, [](ProcessGroup& ranks) {
    const TinyRun tiny;
    try {
      Trainer(tiny.options("run"), {}, ranks);
      ADD_FAILURE() << "4 views for 3 ranks";
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::kUsage);
      EXPECT_NE(std::string(error.what()).find("training.batch"), std::string::npos) << error.what();
    }
  });
}

TEST(TrainerRanks, RefuseToStartWhereTheyWouldMeetAtOtherSteps) {
  in_ranks(2, [](ProcessGroup& ranks) {
    const TinyRun tiny;
    const auto refusal = [&](const std::string& name, auto&& change, bool resume = false,
                             Method method = Method::kLabels) {
      RunOptions options = options_of(tiny, {"any", method, DistillLoss::kQfl, {"red", "blue"}}, name);
      if (needs_teachers(method)) {
        options.val = options.train.front();
        options.val.name = "val";
      }
      if (ranks.rank() == 1) change(options);
      try {
        train(tiny, options, ranks, resume);
      } catch (const Error& error) {
        EXPECT_EQ(error.exit(), Exit::kUsage) << error.what();
        return std::string(error.what());
      }
      return std::string("not refused");
    };
    const auto says = [](const std::string& text, const char* part) {
      EXPECT_NE(text.find(part), std::string::npos) << text;
    };
    says(refusal("a", [](RunOptions& options) { options.training.eval_every = 2; }), "training.eval_every = 2");
    says(refusal("b", [](RunOptions& options) { options.training.checkpoint_every = 3; }),
         "training.checkpoint_every = 3");
    says(refusal("c", [](RunOptions& options) { options.ranks.bucket_mb = 1; }), "ranks.bucket_mb = 1");
    says(refusal("d",
                 [](RunOptions& options) {
                   options.val = options.train.front();
                   options.val.name = "val";
                 }),
         "data.val = val 24 images");
    says(refusal("g", [](RunOptions& options) { options.service.source = "local"; }), "service.source = local");
    says(refusal(
             "e", [](RunOptions&) {}, ranks.rank() == 1),
         "--resume = given");
    says(refusal(
             "f",
             [&](RunOptions& options) {
               options.fusion.merge = Merge::kWeighted;
               TeacherOptions& measured = options.teachers.emplace_back();
               measured.weight.reset();
               measured.weights = tiny.make_teacher("red", 1);
             },
             false, Method::kKd),
         "fusion.merge = ");
  });
}

// Asks the process to stop before take number `at`.
class Stopping final : public TargetSource {
 public:
  Stopping(std::unique_ptr<TargetSource> inner, int at) : inner_(std::move(inner)), at_(at) {}
  void ask(const TargetRequest& request) override { inner_->ask(request); }
  void flush() override { inner_->flush(); }
  std::vector<SoftTargets> take() override {
    if (taken_++ == at_) request_stop();
    return inner_->take();
  }
  SourceStats stats() const override { return inner_->stats(); }

 private:
  std::unique_ptr<TargetSource> inner_;
  int at_, taken_ = 0;
};

TEST(TrainerRanks, StopAfterTheSameStepWithOneCheckpointWhenOneOfThemGetsASignal) {
  in_ranks(2, [](ProcessGroup& ranks) {
    const TinyRun tiny;
    RunOptions options = options_of(tiny, {"kd", Method::kKd, DistillLoss::kQfl, {}}, "stopped");
    options.training.checkpoint_every = 100;
    Stopping source(source_of(tiny, options), ranks.rank() == 1 ? 5 : -1);
    std::string what;
    try {
      Trainer(options, teachers_of(options), ranks).run(source, false);
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::kInterrupted) << error.what();
      what = error.what();
    }
    EXPECT_NE(what.find("interrupted after step 3"), std::string::npos) << what;
    if (ranks.writes()) {
      EXPECT_EQ(load_checkpoint(RunFolder{options.run}.checkpoints())->step, 3);
    }
  });
}

TEST(TrainerRanks, AllStopWhenTheLossOfOneIsNotFinite) {
  in_ranks(2, [](ProcessGroup& ranks) {
    const TinyRun tiny;
    RunOptions options = options_of(tiny, {"labels", Method::kLabels, DistillLoss::kQfl, {"red", "blue"}}, "diverges");
    options.training.schedule.steps = 40;
    options.training.optimizer.lr = 1e30;
    options.training.optimizer.clip = 0;
    options.training.checkpoint_every = 1000;
    try {
      train(tiny, options, ranks);
      ADD_FAILURE() << "a loss that is finite";
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::kDiverged) << error.what();
    }
  });
}

}  // namespace
}  // namespace conclave
