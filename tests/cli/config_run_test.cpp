#include "cli/config_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "core/error.h"
#include "support/shipped_configs.h"
#include "support/temporary_folder.h"

namespace conclave {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kSmallest = "run: out\nclasses: [a]\ndata: {train: [{name: s, images: i, annotations: j}]}\n";

std::string error_of(const std::string& path, const std::vector<std::string>& overrides = {}) {
  try {
    read_run_options(path, overrides);
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::kUsage);
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return {};
}

std::vector<std::string> shipped_configs() {
  const std::filesystem::path root = shipped_configs_folder();
  std::vector<std::string> paths = {(root / "street/merge.yaml").string()};
  for (const char* folder : {"bccd", "carla", "experiments"}) {
    for (const auto& entry : std::filesystem::directory_iterator(root / folder)) {
      const bool comparison = entry.path().filename().string().rfind("compare", 0) == 0;  // compare_plan_test.cpp
      if (!comparison) paths.push_back(entry.path().string());
    }
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

// Configurations that only others are based on name neither a run nor what it trains on.
std::vector<std::string> completing(const std::string& path) {
  const std::string name = std::filesystem::path(path).stem().string();
  std::vector<std::string> overrides;
  if (name == "base" || name == "thirds" || name == "teachers") overrides.push_back("run=out");
  if (name == "base") overrides.push_back("data.train=[{name: s, images: i, annotations: j}]");
  return overrides;
}

TEST(RunOptions, NameTheTrainersKeyAndThoseItLetsIn) {
  const TemporaryFolder folder;
  const std::string path = folder.write(
      "run.yaml",
      std::string(kSmallest) +
          "service: {bind: 'tcp://*:5555', max_workers: 9, keys: {secret: t.key, allow: [a.pub, workers]}}\n");
  const RemoteOptions remote = read_run_options(path, {}).service.remote;
  EXPECT_EQ(remote.keys.secret, "t.key");
  EXPECT_THAT(remote.keys.allow, ElementsAre("a.pub", "workers"));
  EXPECT_FALSE(remote.keys.insecure);
  EXPECT_EQ(remote.max_workers, 9);
  EXPECT_TRUE(read_run_options(path, {"service.insecure=true"}).service.remote.keys.insecure);
  EXPECT_THAT(error_of(path, {"service.keys.alow=[x]"}), HasSubstr("allow"));
}

TEST(RunOptions, HaveDefaultsForAllButTheRunTheClassesAndTheData) {
  const TemporaryFolder folder;
  const RunOptions o = read_run_options(folder.write("run.yaml", kSmallest), {});
  const RunOptions defaults;
  EXPECT_EQ(o.run, "out");
  EXPECT_THAT(o.classes, ElementsAre("a"));
  EXPECT_EQ(o.seed, 0u);
  EXPECT_EQ(o.training.batch, defaults.training.batch);
  EXPECT_EQ(o.training.optimizer.lr, defaults.training.optimizer.lr);
  EXPECT_EQ(o.training.schedule.steps, defaults.training.schedule.steps);
  EXPECT_EQ(o.fusion.method, defaults.fusion.method);
  EXPECT_TRUE(o.teachers.empty());
  EXPECT_EQ(o.service.source, "remote");
  EXPECT_TRUE(o.val.name.empty());
}

TEST(RunOptions, FillTheModelAndTheViewsFromTheRun) {
  const TemporaryFolder folder;
  const RunOptions o = read_run_options(folder.write("run.yaml", kSmallest), {"model.input=[320, 192]"});
  EXPECT_THAT(o.model.classes, ElementsAre("a"));
  EXPECT_EQ(o.views.width, 320);
  EXPECT_EQ(o.views.height, 192);
}

TEST(RunOptions, TakeAnnotationsWithoutLabelledForComplete) {
  const TemporaryFolder folder;
  const auto run =
      folder.write("run.yaml",
                   "run: out\nclasses: [a, b]\ndata:\n  train:\n    - {name: s, images: i, annotations: j}\n"
                   "    - {name: t, images: i, annotations: j, labelled: [b]}\n    - {name: u, images: i}\n"
                   "    - {name: v, images: i, annotations: j, labelled: []}\n");
  const RunOptions o = read_run_options(run, {});
  ASSERT_EQ(o.train.size(), 4u);
  EXPECT_TRUE(o.train[0].all_labelled);
  EXPECT_FALSE(o.train[1].all_labelled);
  EXPECT_THAT(o.train[1].labelled, ElementsAre("b"));
  EXPECT_FALSE(o.train[2].all_labelled);
  EXPECT_FALSE(o.train[3].all_labelled);
}

TEST(RunOptions, ReportEveryContradictionWithItsPlace) {
  const TemporaryFolder folder;
  const std::string path = folder.write("run.yaml",
                                        "run: ''\n"
                                        "classes: [car, car]\n"
                                        "model: {input: [320, 100]}\n"
                                        "views: {scale: [2, 1]}\n"
                                        "training:\n"
                                        "  steps: 10\n"
                                        "  warmup: 11\n"
                                        "  batch: 8\n"
                                        "  window: 4\n"
                                        "  device: gpu\n"
                                        "data:\n"
                                        "  train:\n"
                                        "    - {name: s, images: i, annotations: j, labelled: [cra]}\n"
                                        "    - {name: s, images: i, labelled: [car]}\n"
                                        "    - {limit: 3}\n"
                                        "  val: {name: v, images: i}\n"
                                        "teachers:\n"
                                        "  - {name: t, weights: w}\n"
                                        "  - {name: t}\n"
                                        "  - {weights: w}\n");
  const std::string text = error_of(path);
  const std::pair<const char*, const char*> expected[] = {
      {"1:6", "run is missing"},
      {"2:16", "class 'car' is named twice"},
      {"3:16", "model.input is [320, 100], but both must be multiples of 32"},
      {"4:16", "views.scale: the first is larger"},
      {"7:11", "training.warmup, 11, is longer than training.steps, 10"},
      {"9:11", "training.window must hold at least one batch"},
      {"10:11", "training.device must be cpu, cuda or cuda:N"},
      {"13:55", "data.train.0.labelled names 'cra', which is not one of `classes`; did you mean 'car'?"},
      {"14:7", "set 's' is named twice"},
      {"14:38", "data.train.1.labelled is given, but no annotations"},
      {"15:7", "data.train.2.name is missing"},
      {"15:7", "data.train.2.images is missing"},
      {"16:8", "data.val.annotations is missing: AP needs labels"},
      {"19:5", "teachers.1.weights is missing"},
      {"19:5", "teacher 't' is named twice"},
      {"20:5", "teachers.2.name is missing"},
  };
  for (const auto& [place, message] : expected) EXPECT_THAT(text, HasSubstr(path + ":" + place + ": " + message));
}

TEST(RunOptions, TakeAugmentationAndAverages) {
  const TemporaryFolder folder;
  const auto run = folder.write("run.yaml", std::string(kSmallest) +
                                                "views: {mosaic: 0.5, mosaic_scale: [0.4, 0.9], blur_sigma: [1, 3]}\n"
                                                "training: {init_heads: true, swa: {every: 5, norm_views: 0}}\n");
  const RunOptions o = read_run_options(run, {});
  EXPECT_EQ(o.views.mosaic, 0.5);
  EXPECT_EQ(o.views.mosaic_min, 0.4);
  EXPECT_EQ(o.views.mosaic_max, 0.9);
  EXPECT_EQ(o.views.blur_max, 3);
  EXPECT_EQ(o.views.blur, 0);
  EXPECT_TRUE(o.training.init_heads);
  EXPECT_EQ(o.training.swa.every, 5);
  EXPECT_EQ(o.training.swa.from, 0.75);
  EXPECT_EQ(o.training.swa.norm_views, 0);
  EXPECT_THAT(error_of(run, {"views.mix_share=[0.5, 0.3]"}), HasSubstr("views.mix_share: the first is larger"));
  EXPECT_THAT(error_of(run, {"views.blur_sigma=[0, 1]"}), HasSubstr("views.blur_sigma"));
}

TEST(RunOptions, TakeAStoreWithItsFolderAndWeightsOfEveryTeacher) {
  const TemporaryFolder folder;
  const std::string path = folder.write("run.yaml", kSmallest);
  const RunOptions o = read_run_options(
      path, {"data.views_per_image=4", "service.store={mode: auto, folder: kept}", "teachers=[{name: t, weights: w}]"});
  EXPECT_EQ(o.views_per_image, 4);
  EXPECT_EQ(o.service.store.mode, StoreMode::kAuto);
  EXPECT_EQ(o.service.store.folder, "kept");
  EXPECT_EQ(read_run_options(path, {"service.store.mode=off"}).service.store.mode, StoreMode::kOff);
  EXPECT_EQ(read_run_options(path, {}).views_per_image, 0);
  EXPECT_THAT(error_of(path, {"service.store.mode=replay"}), HasSubstr("service.store.folder is missing"));
  EXPECT_THAT(error_of(path, {"service.store={mode: replay, folder: kept}", "service.spawn=false",
                              "teachers=[{name: t, classes: [a]}]"}),
              HasSubstr("teachers.0.weights is missing: service.store keeps targets by the hash"));
}

TEST(RunOptions, NameWhatAnEmptyFileLacks) {
  const TemporaryFolder folder;
  const std::string text = error_of(folder.write("run.yaml", ""));
  for (const char* key : {"run", "classes", "data.train"})
    EXPECT_THAT(text, HasSubstr(std::string(key) + " is missing"));
}

TEST(RunOptions, SayHowDistillationIsTuned) {
  const TemporaryFolder folder;
  const auto run = folder.write("run.yaml", std::string(kSmallest) +
                                                "\nmodel: {wh: per_class}\n"
                                                "fusion:\n"
                                                "  temperature: 2\n"
                                                "  cwd: {weight: 3, temperature: 4}\n"
                                                "  cells: peaks\n"
                                                "  cells_radius: 1\n"
                                                "  box: ciou\n"
                                                "  distill: {iou: 0.5}\n"
                                                "  labels_win: true\n"
                                                "  balance: fixed_value\n"
                                                "  balance_value: {heat: 2}\n"
                                                "teachers:\n"
                                                "  - {name: t, weights: w, weight: auto, loss_weight: {wh: 7}}\n"
                                                "  - {name: u, weights: w, weight: 0.5}\n");
  const auto expect_it = [](const RunOptions& o) {
    EXPECT_TRUE(o.model.architecture.wh_per_class);
    EXPECT_EQ(o.fusion.temperature, 2);
    EXPECT_EQ(o.fusion.cwd.weight, 3);
    EXPECT_EQ(o.fusion.cwd.temperature, 4);
    EXPECT_TRUE(o.fusion.cells.peaks);
    EXPECT_EQ(o.fusion.cells.radius, 1);
    EXPECT_EQ(o.fusion.box, BoxLoss::kCiou);
    EXPECT_EQ(o.fusion.distill.iou, 0.5);
    EXPECT_TRUE(o.fusion.labels_win);
    EXPECT_TRUE(o.fusion.balance.fixed_value);
    EXPECT_EQ(o.fusion.balance.value.heat, 2);
    EXPECT_EQ(o.fusion.balance.value.wh, 0.3);
    EXPECT_FALSE(o.teachers.at(0).weight.has_value());
    EXPECT_EQ(o.teachers.at(0).loss_weight.wh, 7);
    EXPECT_EQ(o.teachers.at(1).weight, 0.5);
  };
  expect_it(read_run_options(run, {}));
  expect_it(read_run_options(folder.write("resolved.yaml", resolved_config(run, {})), {}));
  const RunOptions plain = read_run_options(folder.write("plain.yaml", kSmallest), {});
  EXPECT_EQ(plain.fusion.cwd.weight, 0);
  EXPECT_FALSE(plain.fusion.balance.fixed_value);
}

TEST(RunOptions, BlameTheOverrideThatContradicts) {
  const TemporaryFolder folder;
  EXPECT_THAT(error_of(folder.write("run.yaml", kSmallest), {"training.window=1"}),
              HasSubstr("command line: training.window=1: training.window must hold"));
}

TEST(RunOptions, NeedNoWeightsOfTeachersThatComeFromOutside) {
  const TemporaryFolder folder;
  const auto run = folder.write("run.yaml", kSmallest);
  EXPECT_THAT(error_of(run, {"teachers=[{name: t}]"}), HasSubstr("teachers.0.weights is missing"));
  EXPECT_THAT(error_of(run, {"teachers=[{name: t}]", "service={spawn: false, source: local}"}),
              HasSubstr("teachers.0.weights is missing"));
  EXPECT_EQ(read_run_options(run, {"teachers=[{name: t}]", "service.spawn=false"}).teachers.size(), 1u);
}

TEST(ResolvedConfig, ReadsBackToItself) {
  for (const std::string& path : shipped_configs()) {
    SCOPED_TRACE(path);
    const TemporaryFolder folder;
    const std::string first = resolved_config(path, completing(path));
    EXPECT_EQ(resolved_config(folder.write("config.yaml", first), {}), first);
  }
}

TEST(ResolvedConfig, KeepsWhatTheConfigurationSays) {
  const TemporaryFolder folder;
  const std::string path = (shipped_configs_folder() / "bccd/kd_labels.yaml").string();
  const RunOptions o = read_run_options(folder.write("config.yaml", resolved_config(path, {"training.lr=7e-4"})), {});
  EXPECT_EQ(o.fusion.method, Method::kKdLabels);
  EXPECT_EQ(o.training.optimizer.lr, 7e-4);
  EXPECT_THAT(o.classes, ElementsAre("RBC", "WBC", "Platelets"));
  ASSERT_EQ(o.train.size(), 3u);
  EXPECT_THAT(o.train[2].labelled, ElementsAre("Platelets"));
  ASSERT_EQ(o.teachers.size(), 3u);
  EXPECT_EQ(o.teachers[1].name, "wbc");
}

TEST(ResolvedConfig, NamesThePlaceThatSetEachValue) {
  const TemporaryFolder folder;
  const std::string path = folder.write("run.yaml", kSmallest);
  const std::string text = resolved_with_sources(path, {"training.lr=1e-3"});
  EXPECT_THAT(text, HasSubstr("# " + path + ":1:6\n"));
  EXPECT_THAT(text, testing::ContainsRegex("\n  lr: 0.001 +# command line: training.lr=1e-3\n"));
  EXPECT_THAT(text, testing::ContainsRegex("\n  batch: 8 +# default\n"));
}

TEST(ConfigReference, HoldsEveryKeyThatIsPrinted) {
  const std::string reference = config_reference_markdown();
  EXPECT_THAT(reference, StartsWith("# Configuration\n"));
  const std::string path = (shipped_configs_folder() / "bccd/kd.yaml").string();
  std::istringstream lines(resolved_config(path, {}));
  // The keys above the present line, by indentation; a list adds "[]" to its key.
  std::vector<std::pair<std::size_t, std::string>> above;
  int keys = 0;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t dash = line.find_first_not_of(' ');
    const bool item = line.compare(dash, 2, "- ") == 0;
    const std::size_t indent = item ? dash + 2 : dash;
    while (!above.empty() && above.back().first >= indent) above.pop_back();
    if (item && !above.back().second.ends_with("[]")) above.back().second += "[]";
    std::string key = line.substr(indent, line.find(':') - indent);
    if (!above.empty()) key = above.back().second + "." + key;
    EXPECT_THAT(reference, HasSubstr("`" + key + "`"));
    above.emplace_back(indent, key);
    ++keys;
  }
  EXPECT_GT(keys, 80);
}

}  // namespace
}  // namespace conclave
