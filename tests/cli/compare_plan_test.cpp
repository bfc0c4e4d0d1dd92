#include "cli/compare_plan.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "cli/config_run.h"
#include "core/error.h"
#include "support/shipped_configs.h"
#include "support/temporary_folder.h"

namespace conclave {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kRun =
    "run: out\nclasses: [x]\ntraining: {batch: 4, steps: 10, warmup: 0}\n"
    "data:\n  train: [{name: s, images: i, annotations: \"${WHERE:-none}/s.json\"}]\n"
    "  test: {name: t, images: i, annotations: t.json}\n"
    "fusion: {method: labels}\n";
constexpr const char* kCompare =
    "base: run.yaml\nrun: folder\nseeds: [3, 5]\nbaseline: a\nenvironment: {WHERE: \"{run}/seed{seed}\"}\n"
    "prepare:\n"
    "  - {name: split, each_seed: true, command: [data, split, x.json, --classes, x, --seed, \"{seed}\", --out, "
    "parts]}\n"
    "  - {name: teacher, each_seed: true, train: run.yaml, set: {run: \"{run}/seed{seed}/t\"}}\n"
    "  - {name: all, command: [data, check, --images, \"{run}\"]}\n"
    "methods:\n"
    "  a:\n"
    "  b: {set: {training.lr: 1e-3}}\n"
    "  kd: {set: {fusion.method: kd, teachers: [{name: t, weights: "
    "\"{run}/seed{seed}/t/weights/best.safetensors\"}]}}\n"
    "  kd2: {set: {fusion: {method: kd, loss: bce}, teachers: [{name: t, weights: "
    "\"{run}/seed{seed}/t/w.safetensors\"}]}}\n";

class ComparePlanTest : public testing::Test {
 protected:
  ComparePlanTest() { folder_.write("run.yaml", kRun); }

  ComparePlan plan(const std::string& text, const std::vector<std::string>& overrides = {}) {
    return plan_comparison(read_compare_options(folder_.write("c.yaml", text), overrides));
  }

  std::string error(const std::string& text, const std::vector<std::string>& overrides = {}) {
    try {
      plan(text, overrides);
    } catch (const Error& wrong) {
      EXPECT_EQ(wrong.exit(), Exit::kUsage);
      return wrong.what();
    }
    ADD_FAILURE() << "no error";
    return {};
  }

  static const PlannedTask& task(const ComparePlan& plan, const std::string& name) {
    for (const PlannedTask& each : plan.tasks) {
      if (each.name == name) return each;
    }
    throw Error("no task " + name);
  }

  static std::vector<std::string> names(const ComparePlan& plan, const std::vector<std::size_t>& tasks) {
    std::vector<std::string> names;
    for (const std::size_t t : tasks) names.push_back(plan.tasks[t].name);
    return names;
  }

  static std::string teachers_of(const std::string& file) {
    return "[{name: t, weights: \"{run}/seed{seed}/t/" + file + "\"}]";
  }
  static std::string distilled(const std::string& file) {
    return "{fusion.method: kd, teachers: " + teachers_of(file) + "}";
  }

  TemporaryFolder folder_;
};

TEST_F(ComparePlanTest, RunsAreMethodsTimesSeedsAndStartSeedBySeed) {
  const ComparePlan made = plan(kCompare);
  EXPECT_THAT(names(made, made.runs), ElementsAre("a, seed 3", "a, seed 5", "b, seed 3", "b, seed 5", "kd, seed 3",
                                                  "kd, seed 5", "kd2, seed 3", "kd2, seed 5"));
  std::vector<std::string> order;
  for (const PlannedTask& each : made.tasks) order.push_back(each.name);
  EXPECT_THAT(order, ElementsAre("all", "split, seed 3", "teacher, seed 3", "a, seed 3", "b, seed 3", "kd, seed 3",
                                 "kd2, seed 3", "split, seed 5", "teacher, seed 5", "a, seed 5", "b, seed 5",
                                 "kd, seed 5", "kd2, seed 5"));
  EXPECT_THAT(names(made, task(made, "kd, seed 5").after), ElementsAre("split, seed 5", "teacher, seed 5", "all"));
  EXPECT_THAT(names(made, task(made, "teacher, seed 5").after), ElementsAre("split, seed 5"));
  EXPECT_EQ(made.budget, "40 images for every method (10 steps of 4)");
  EXPECT_EQ(made.upper, "a") << "supervised by labels";
  EXPECT_EQ(made.lower, "");
}

TEST_F(ComparePlanTest, FolderAndSeedAreFilledInEverywhere) {
  const ComparePlan made = plan(kCompare);
  EXPECT_THAT(task(made, "split, seed 5").words,
              ElementsAre("data", "split", "x.json", "--classes", "x", "--seed", "5", "--out", "parts"));
  const PlannedTask& run = task(made, "kd, seed 5");
  EXPECT_THAT(run.environment, ElementsAre(std::pair<std::string, std::string>("WHERE", "folder/seed5")));
  EXPECT_EQ(run.words[0], "distill");
  EXPECT_THAT(run.words, Contains("seed=5"));
  EXPECT_THAT(run.words, Contains("run=folder/runs/kd/seed5"));
  EXPECT_THAT(run.words, Contains("--resume"));
  EXPECT_EQ(run.folder, "folder/runs/kd/seed5");
  EXPECT_EQ(run.options->train[0].annotations, "folder/seed5/s.json");
  EXPECT_EQ(run.options->teachers[0].weights, "folder/seed5/t/weights/best.safetensors");
  EXPECT_EQ(task(made, "a, seed 3").words[0], "train");
  EXPECT_EQ(std::getenv("WHERE"), nullptr) << "the variables are those of the runs";
}

TEST_F(ComparePlanTest, ABudgetOfImagesFollowsEachMethodsBatch) {
  const ComparePlan made = plan(kCompare, {"budget.images=80", "methods.b.set.training.batch=8"});
  EXPECT_THAT(task(made, "a, seed 3").words, Contains("training.steps=20"));
  EXPECT_EQ(task(made, "b, seed 3").options->training.schedule.steps, 10);
  EXPECT_THAT(error(kCompare, {"budget.images=84", "methods.b.set.training.batch=8"}),
              HasSubstr("methods.b: budget.images, 84, is not a multiple of its batch, 8"));
  EXPECT_THAT(error(kCompare, {"budget.images=80", "methods.b.set.training.steps=8"}),
              HasSubstr("sets training.steps"));
  EXPECT_THAT(error(kCompare, {"methods.b.set.training.steps=8"}), HasSubstr("runs of different budgets"));
  EXPECT_NO_THROW(plan(kCompare, {"methods.b.set.training.steps=8", "budget=own"}));
}

TEST_F(ComparePlanTest, ABudgetOfTimeIsProbedFirst) {
  CompareOptions options = read_compare_options(folder_.write("c.yaml", kCompare), {"budget.seconds=10"});
  const ComparePlan probing = plan_comparison(options);
  EXPECT_TRUE(probing.runs.empty());
  EXPECT_THAT(names(probing, probing.probes), ElementsAre("a, probe", "b, probe", "kd, probe", "kd2, probe"));
  const ComparePlan made = plan_comparison(options, {{"a", 7}, {"b", 9}, {"kd", 5}, {"kd2", 6}});
  EXPECT_EQ(made.runs.size(), 8u);
  EXPECT_EQ(task(made, "kd, seed 5").options->training.schedule.steps, 5);
  EXPECT_EQ(task(made, "b, seed 3").options->training.schedule.steps, 9);
}

TEST_F(ComparePlanTest, RunsThatShareTargetsWaitForTheFirstThatAsksForThem) {
  const ComparePlan made =
      plan(kCompare, {"views.shared=true", "set.data.views_per_image=2", "methods.kd2.set.teachers=" + teachers_of("b"),
                      "methods.kd.set.teachers=" + teachers_of("b"), "methods.kd3.set=" + distilled("b"),
                      "methods.mixed.set=" + distilled("b"), "methods.mixed.set.views.mix=0.5"});
  EXPECT_TRUE(task(made, "kd, seed 5").after_any.empty());
  EXPECT_FALSE(task(made, "kd, seed 5").recorded);
  for (const char* other : {"kd2, seed 3", "kd3, seed 3"}) {
    EXPECT_THAT(names(made, task(made, other).after_any), ElementsAre("kd, seed 3")) << "not for each other";
    EXPECT_TRUE(task(made, other).recorded);
  }
  EXPECT_TRUE(task(made, "mixed, seed 3").after_any.empty()) << "it draws other views";
  EXPECT_THAT(task(made, "kd2, seed 3").words, Contains("service.store.folder=folder/targets/seed3"));
  EXPECT_THAT(task(made, "a, seed 3").words, testing::Not(Contains(HasSubstr("service.store"))));
}

TEST_F(ComparePlanTest, RunsThatShareOnlySomeTargetsWaitForTheLast) {
  const auto changed = [&](const std::string& change) {
    return plan(kCompare, {"views.shared=true", "budget=own", "methods.kd.set.teachers=" + teachers_of("b"),
                           "methods.kd2.set.teachers=" + teachers_of("b"), change});
  };
  EXPECT_TRUE(task(changed("slots=2"), "kd2, seed 3").recorded);
  for (const char* more : {"methods.kd2.set.teachers.0.weights=\"{run}/seed{seed}/t/c\"",
                           "methods.kd2.set.data.train.0.limit=4", "methods.kd.set.training.batch=2"}) {
    const ComparePlan made = changed(more);
    EXPECT_THAT(names(made, task(made, "kd2, seed 3").after_any), ElementsAre("kd, seed 3")) << more;
    EXPECT_FALSE(task(made, "kd2, seed 3").recorded) << more;
  }
  const ComparePlan other = changed("methods.kd2.set.fusion.floor=0.1");
  EXPECT_TRUE(task(other, "kd2, seed 3").after_any.empty()) << "it asks for other cells";
  const ComparePlan shifted = changed("methods.kd2.seed_shift=100");
  EXPECT_TRUE(task(shifted, "kd2, seed 3").after_any.empty()) << "it draws other views";
  const ComparePlan repeated =
      plan(kCompare, {"views.shared=true", "methods.kd2.seed_shift=100", "set.data.views_per_image=2"});
  EXPECT_FALSE(task(repeated, "kd2, seed 3").after_any.empty()) << "repeated views depend on no seed";
}

TEST_F(ComparePlanTest, ProbesRunAloneAndWarmUpFitsIntoTheStepsThatComeOut) {
  const CompareOptions options =
      read_compare_options(folder_.write("c.yaml", kCompare), {"budget.seconds=10", "set.training.warmup=8"});
  const ComparePlan probing = plan_comparison(options);
  EXPECT_THAT(names(probing, task(probing, "b, probe").after_any), Contains("a, probe"));
  EXPECT_THAT(names(probing, task(probing, "a, probe").after_any), Contains("teacher, seed 5"));
  const ComparePlan made = plan_comparison(options, {{"a", 5}, {"b", 200}, {"kd", 30}, {"kd2", 30}});
  EXPECT_EQ(task(made, "a, seed 3").options->training.schedule.steps, 5);
  EXPECT_EQ(task(made, "kd, seed 3").options->training.schedule.warmup, 3);
  EXPECT_EQ(task(made, "b, seed 3").options->training.schedule.warmup, 8);
}

TEST_F(ComparePlanTest, AnOptionThatAMethodSetsAndThatDecidesNothingIsRefused) {
  EXPECT_THAT(error(kCompare, {"methods.a.set.fusion.cwd.weight=1"}),
              HasSubstr("a: fusion.cwd.weight=1 has no effect with fusion.method labels: kd and kd_labels use it"));
  EXPECT_NO_THROW(plan(kCompare, {"set.fusion.cwd.weight=1"})) << "meant for the methods that use it";
  EXPECT_NO_THROW(plan(kCompare, {"set.fusion.label.heat=2", "methods.kd.set.fusion.labelled=both"}))
      << "kd has no use for fusion.label, which is another key";
}

TEST_F(ComparePlanTest, TheTestSetIsTheSameForAll) {
  EXPECT_THAT(error(kCompare, {"methods.b.set.data.test.labelled=[x]"}),
              HasSubstr("methods.b is tested on another data.test than a"));
}

// Image files count, not the annotations that list them.
TEST_F(ComparePlanTest, TheTestSetIsSeenByNobody) {
  const auto listing = [&](const std::string& name, const std::vector<std::string>& images) {
    std::string text, boxes;
    for (const std::string& image : images) {
      const std::string comma = text.empty() ? "" : ", ", id = std::to_string(text.size() + 1);
      text += comma + "{\"id\": " + id + ", \"file_name\": \"" + image + "\", \"width\": 8, \"height\": 8}";
      boxes += comma + "{\"id\": " + id + ", \"image_id\": " + id +
               ", \"category_id\": 1, \"bbox\": [1, 1, 4, 4], \"area\": 16, \"iscrowd\": 0}";
    }
    return folder_
        .write(name, "{\"images\": [" + text + "], \"annotations\": [" + boxes +
                         "], \"categories\": [{\"id\": 1, \"name\": \"x\"}]}")
        .string();
  };
  const std::string pile = (folder_ / "pile").string();
  for (const char* image : {"pile/1.jpg", "pile/2.jpg", "pile/3.jpg"}) folder_.write(image, "");
  std::filesystem::create_directory_symlink(pile, folder_ / "other");
  const std::vector<std::string> test = {"set.data.test.images=" + pile,
                                         "set.data.test.annotations=" + listing("t.json", {"1.jpg", "2.jpg"})};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.end(), test.begin(), test.end());
    return more;
  };
  const std::string val = listing("v.json", {"2.jpg", "3.jpg"});
  EXPECT_THAT(error(kCompare, with({"methods.b.set.data.val={name: v, annotations: " + val +
                                    ", images: " + (folder_ / "other").string() + "}"})),
              HasSubstr("b chooses its weights on 1 of the 2 images of data.test: its set v has them, too"));
  EXPECT_THAT(error(kCompare, with({"methods.kd.set.data.train=[{name: pile, images: " + pile + "}]"})),
              HasSubstr("kd trains on 2 of the 2 images of data.test: its set pile has them, too"));
  EXPECT_THAT(error(kCompare, with({"prepare.1.set.data.train=[{name: pile, images: " + pile + "}]",
                                    "prepare.1.set.fusion.method=ignore"})),
              HasSubstr("teacher trains on 2 of the 2 images of data.test"));
  EXPECT_NO_THROW(plan(kCompare, with({"methods.b.set.data.val={name: v, annotations: " +
                                       listing("v3.json", {"3.jpg"}) + ", images: " + pile + "}"})));
}

// What is there now is read now; what a step makes is not.
TEST_F(ComparePlanTest, FilesThatAreNotWhatTheyAreTakenForAreRefused) {
  const auto listing = [&](const std::string& name, const std::string& cls) {
    return folder_
        .write(name,
               "{\"images\": [{\"id\": 1, \"file_name\": \"1.jpg\", \"width\": 8, \"height\": 8}], \"annotations\": "
               "[{\"id\": 1, \"image_id\": 1, \"category_id\": 1, \"bbox\": [1, 1, 4, 4], \"area\": 16, \"iscrowd\": "
               "0}], \"categories\": [{\"id\": 1, \"name\": \"" +
                   cls + "\"}]}")
        .string();
  };
  folder_.write("images/1.jpg", "");
  const std::string test = "set.data.test={name: t, images: " + (folder_ / "images").string() + ", annotations: ";
  EXPECT_NO_THROW(plan(kCompare, {test + listing("x.json", "x") + "}"}));
  EXPECT_THAT(error(kCompare, {test + listing("cat.json", "cat") + "}"}), HasSubstr("has no labelled object of x"));
  EXPECT_THAT(error(kCompare, {test + listing("x.json", "x") + ", labelled: []}"}),
              HasSubstr("has no labelled object of x"));
  const std::string lost = error(kCompare, {"set.data.test={name: t, images: " + folder_.path().string() +
                                            ", annotations: " + listing("x.json", "x") + "}"});
  EXPECT_THAT(lost, HasSubstr("1.jpg"));
  EXPECT_EQ(lost.find("1.jpg"), lost.rfind("1.jpg")) << "once, not for each method";
  EXPECT_NO_THROW(plan(kCompare, {"prepare.1.set.data.test={name: t, images: " + (folder_ / "images").string() +
                                  ", annotations: " + listing("cat.json", "cat") + "}"}))
      << "a step's test judges no method";
  const std::string cats = "set.data.test={name: t, images: " + (folder_ / "images").string() +
                           ", annotations: " + listing("cat.json", "cat") + "}";
  EXPECT_THAT(error(kCompare, {cats, "prepare.1." + cats}), HasSubstr("has no labelled object of x"))
      << "though a step has it, too";
  EXPECT_NO_THROW(plan(kCompare, {"set.data.train.0={name: s, images: " + (folder_ / "none").string() +
                                      ", annotations: " + listing("x.json", "x") + "}",
                                  "prepare.0.command.8=" + (folder_ / "none").string()}))
      << "a step makes its images";
  const std::string elsewhere = (folder_ / "elsewhere").string();
  std::filesystem::create_directories(elsewhere);
  EXPECT_THAT(error(kCompare, {"set.data.train.0={name: s, images: " + elsewhere +
                               ", annotations: " + listing("x.json", "x") + "}"}),
              HasSubstr("1.jpg"));
  const std::string init = "methods.b.set.training.init=" + folder_.write("junk.safetensors", "text").string();
  EXPECT_THAT(error(kCompare, {init}), HasSubstr("junk.safetensors"));
}

TEST_F(ComparePlanTest, RunsSideBySideWantAddressesOfTheirOwn) {
  const std::string bind = "methods.kd.set.service.bind='tcp://127.0.0.1:5555'";
  EXPECT_THAT(error(kCompare, {bind, "slots=2"}),
              HasSubstr("service.bind tcp://127.0.0.1:5555 is that of 2 trainings"));
  EXPECT_NO_THROW(plan(kCompare, {bind, "slots=1"}));
  EXPECT_NO_THROW(plan(kCompare, {bind, "slots=2", "seeds=[3]"})) << "it runs once";
  EXPECT_NO_THROW(plan(kCompare, {"methods.a.set.service.bind='tcp://127.0.0.1:5555'", "slots=2"})) << "no teachers";
  EXPECT_NO_THROW(plan(kCompare, {"methods.kd.set.service.bind='tcp://127.0.0.1:555{seed}'", "slots=2"}));
  EXPECT_NO_THROW(plan(kCompare, {"set.service.bind='ipc://*'", "slots=2"}));
  EXPECT_THAT(error(kCompare, {"methods.b.set.service.status=127.0.0.1:9000", "slots=2"}),
              HasSubstr("service.status 127.0.0.1:9000 is that of 2 trainings"));
  EXPECT_THAT(error(kCompare, {"prepare.1.set.service.status=127.0.0.1:9000", "slots=2"}),
              HasSubstr("is that of 2 trainings"))
      << "steps of two seeds";
}

TEST_F(ComparePlanTest, AGapGoesFromSomeLabelsToAll) {
  const std::vector<std::string> ignore = {"methods.b.set.fusion.method=ignore"};
  const auto with = [&](const std::string& gap) { return std::vector<std::string>{ignore[0], gap}; };
  EXPECT_NO_THROW(plan(kCompare, with("gap=[b, a]")));
  EXPECT_THAT(error(kCompare, with("gap=[a, b]")), HasSubstr("write [b, a]"));
  EXPECT_THAT(error(kCompare, with("gap=[a, a]")), HasSubstr("gap names a twice"));
}

TEST_F(ComparePlanTest, MethodsThatNothingSetsApartAreKnown) {
  EXPECT_THAT(methods_alike(plan(kCompare).facts), ElementsAre());
  EXPECT_THAT(methods_alike(plan(kCompare, {"methods.c={description: again}"}).facts),
              ElementsAre(testing::Pair("c", "a")));
  EXPECT_THAT(methods_alike(plan(kCompare, {"methods.c={seed_shift: 100}"}).facts), ElementsAre());
  EXPECT_THAT(methods_alike(plan(kCompare, {"budget.seconds=10"}).facts), ElementsAre()) << "probes alone";
}

TEST_F(ComparePlanTest, ACommandIsDoneWhileWhatItMadeIsThere) {
  const std::string out = (folder_ / "parts").string();
  const auto split = [&] {
    return task(plan(kCompare, {"prepare.0.command.8=" + out, "run=" + (folder_ / "folder").string()}),
                "split, seed 3");
  };
  EXPECT_FALSE(split().done());
  folder_.write("folder/done/split-seed3", "");
  EXPECT_FALSE(split().done());
  std::filesystem::create_directories(out);
  EXPECT_TRUE(split().done());
}

TEST_F(ComparePlanTest, WhatARunWouldRefuseIsToldBeforeAnyStarts) {
  EXPECT_THAT(error(kCompare, {"methods.kd.set={fusion.method: pseudo, teachers: [{name: t, classes: [x], weights: "
                               "\"{run}/seed{seed}/t/w.safetensors\"}], data.train: [{name: u, images: i}]}"}),
              HasSubstr("kd: class 'x': its pseudo labels have no threshold"));
  EXPECT_THAT(error(kCompare, {"set.classes=[x, y]", "set.data.train.0.labelled=[x, y]"}),
              HasSubstr("kd: class 'y': no source covers it on set 's'"));
  EXPECT_THAT(error(kCompare, {"methods.kd.set.fusion.loss=relu", "methods.kd.set.fusion.floor=0"}),
              HasSubstr("kd: fusion: a floor of"));
  EXPECT_THAT(error(kCompare, {"methods.kd.set.service.bind=\"tcp://*:5555\""}), HasSubstr("without keys"));
  EXPECT_THAT(error(kCompare, {"set.training.warmup=50"}), HasSubstr("training.warmup"));
  EXPECT_THAT(error(kCompare, {"prepare.0.command=[data, splitt, x.json]"}), HasSubstr("split: "));
  EXPECT_THAT(error(kCompare, {"prepare.0.command=[distil]"}), HasSubstr("did you mean 'distill'"));
}

TEST_F(ComparePlanTest, ARunWaitsForTheTrainingThatMakesWhatItReads) {
  const ComparePlan chained =
      plan(kCompare, {"methods.b.set.training.init='{run}/runs/a/seed{seed}/weights/best.safetensors'"});
  EXPECT_THAT(names(chained, task(chained, "b, seed 5").after), Contains("a, seed 5"));
  EXPECT_THAT(names(chained, task(chained, "b, seed 5").after), testing::Not(Contains("a, seed 3")));
  EXPECT_THAT(error(kCompare, {"methods.a.set.training.init='{run}/runs/b/seed{seed}/weights/best.safetensors'"}),
              HasSubstr("a, seed 3 reads what b, seed 3 makes, which comes later"));
  const ComparePlan steps = plan(
      "base: run.yaml\nbaseline: a\nmethods: {a: {}, b: {}}\nprepare:\n"
      "  - {name: one, train: run.yaml, set: {run: one}}\n"
      "  - {name: two, train: run.yaml, set: {run: two, training.init: one/weights/best.safetensors}}\n");
  EXPECT_THAT(names(steps, task(steps, "two").after), ElementsAre("one"));
}

TEST_F(ComparePlanTest, AStepsTrainingThatIsThereMustBeFinishedAndConfiguredLikeIt) {
  const std::string there = (folder_ / "there").string();
  std::filesystem::create_directories(there);
  const std::string text =
      "base: run.yaml\nbaseline: a\nmethods: {a: {}, b: {}}\nprepare:\n"
      "  - {name: t, train: run.yaml, set: {run: " +
      there + ", training.lr: 1e-3}}\n";
  const std::string config = (folder_ / "run.yaml").string();
  folder_.write("there/config.yaml",
                resolved_config(config, {"run=" + there, "training.lr=2e-3", "training.threads=3"}));
  folder_.write("there/result.json", "{}");
  EXPECT_FALSE(task(plan(text), "t").done()) << "no report: it ended before it had finished";
  folder_.write("there/report.html", "x");
  EXPECT_THAT(error(text), HasSubstr("prepare.t is there already, but it was trained with another configuration"));
  EXPECT_THAT(error(text), HasSubstr("training.lr was 0.002, now it is 0.001;"));
  folder_.write("there/config.yaml", resolved_config(config, {"run=x", "training.lr=1e-3", "training.threads=3"}));
  EXPECT_TRUE(task(plan(text), "t").done());
  std::filesystem::remove(folder_ / "there/config.yaml");
  EXPECT_THAT(error(text), HasSubstr("nobody knows how it was trained"));
}

TEST_F(ComparePlanTest, FactsTellMethodsApartButNotSeedsAndFolders) {
  const ComparePlan one = plan(kCompare), moved = plan(kCompare, {"run=elsewhere", "seeds=[8]"});
  EXPECT_EQ(one.facts, moved.facts);
  const ComparePlan other = plan(kCompare, {"methods.b.set.training.lr=2e-3"});
  EXPECT_NE(one.facts, other.facts);
  EXPECT_EQ(other.facts.at("methods.b: training.lr"), "0.002");
}

TEST_F(ComparePlanTest, TheBaseNeedsNoRunFolderOfItsOwn) {
  const std::string run = kRun;
  folder_.write("run.yaml", run.substr(run.find('\n') + 1));
  const ComparePlan made =
      plan("base: run.yaml\nbaseline: a\nbudget: {images: 40}\nmethods: {a: {}, b: {set: {training.lr: 1e-3}}}\n");
  EXPECT_EQ(made.runs.size(), 6u);
  EXPECT_EQ(made.facts.at("methods.b: training.lr"), "0.001");
}

TEST_F(ComparePlanTest, WhatIsWrongWithAMethodIsToldByItsPlace) {
  const std::string text = error(
      "base: run.yaml\nbaseline: a\nmethods:\n  a: {set: {training.lrr: 1}}\n  b: {set: {training.batch: x}}\n  c: "
      "{config: gone.yaml}\n");
  EXPECT_THAT(text, HasSubstr("c.yaml:4:3: methods.a: "));
  EXPECT_THAT(text, HasSubstr("c.yaml:4:13: unknown key 'training.lrr'"));
  EXPECT_THAT(text, HasSubstr("c.yaml:5:13: training.batch must be a whole number"));
  EXPECT_THAT(text, HasSubstr("gone.yaml"));
  EXPECT_THAT(error(kCompare, {"methods.b.set.classes=[y]"}), HasSubstr("methods.b has the classes y, but a has x"));
  EXPECT_THAT(error(kCompare, {"methods.b.set.data.test.limit=3"}), HasSubstr("another data.test"));
  EXPECT_THAT(error(kCompare, {"methods.kd.set.teachers.0.weights=gone.safetensors"}),
              HasSubstr("kd, seed 3: teacher t: gone.safetensors is not there"));
}

TEST_F(ComparePlanTest, StepsMustNotShareAFolder) {
  const std::string once = "base: run.yaml\nbaseline: a\nseeds: [0, 1]\nmethods: {a: {}, b: {}}\nprepare:\n";
  EXPECT_THAT(error(once + "  - {name: t, train: run.yaml, each_seed: true}\n"),
              HasSubstr("writes into the folder of"));
  EXPECT_THAT(error(once + "  - {name: t, train: run.yaml, set: {run: \"{seed}\"}}\n"),
              HasSubstr("runs once, but its folder depends on the seed"));
  EXPECT_THAT(error(once + "  - {name: t, command: [data, \"{seed}\"]}\n"), HasSubstr("uses {seed}, but runs once"));
}

TEST_F(ComparePlanTest, TheShippedComparisonsAreWhole) {
  int found = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(shipped_configs_folder())) {
    if (entry.path().filename().string().rfind("compare", 0) != 0) continue;
    ++found;
    const ComparePlan made = plan_comparison(read_compare_options(entry.path().string(), {"run=folder"}));
    EXPECT_GE(made.options.seeds.size(), 3u) << entry.path();
    EXPECT_EQ(made.runs.size(), made.options.seeds.size() * made.options.methods.size()) << entry.path();
  }
  EXPECT_GE(found, 4);
}

TEST(CompareFactsTest, ChangesAreNamedAndAdditionsAreFine) {
  TemporaryFolder folder;
  const CompareFacts facts = {{"name", "x"}, {"methods.a: lr", "1"}, {"methods.a: batch", "8"}};
  EXPECT_NO_THROW(check_same_comparison(folder.path(), facts)) << "an empty folder";
  save_facts(folder.path(), facts);
  EXPECT_NO_THROW(check_same_comparison(folder.path(), facts));
  CompareFacts more = facts;
  more["methods.b: lr"] = "3";
  more["methods.a: views.hue"] = "0";  // an option that is younger, at its default
  EXPECT_NO_THROW(check_same_comparison(folder.path(), more));
  save_facts(folder.path(), more);
  CompareFacts fewer = more;
  fewer.erase("methods.b: lr");
  EXPECT_NO_THROW(check_same_comparison(folder.path(), fewer)) << "a method is left out";
  save_facts(folder.path(), fewer);
  CompareFacts changed = more;
  changed["methods.b: lr"] = "4";
  try {
    check_same_comparison(folder.path(), changed);
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("methods.b: lr was 3, now it is 4"));
  }
}

TEST_F(ComparePlanTest, WhatIsAddedIsADifferenceUnlessItIsTheDefault) {
  const auto added = [&](const std::string& change) {
    return fact_differences(plan(kCompare).facts, plan(kCompare, {change}).facts);
  };
  EXPECT_THAT(added("methods.b.set.data.train.0.labelled=[x]"),
              Contains("methods.b: data.train.0.labelled.0 was not given, now it is x"));
  EXPECT_THAT(added("methods.kd.set.data.train.0.labelled=[]"), testing::SizeIs(1)) << "none is not all";
  EXPECT_THAT(added("methods.kd.set.teachers.0.map={x: x}"),
              Contains("methods.kd: teachers.0.map.x was not given, now it is x"));
  const CompareFacts all = plan(kCompare).facts;
  CompareFacts older = all;
  std::erase_if(older, [](const auto& fact) {
    return fact.first.find(": views.") != std::string::npos || fact.first.find("milestones") != std::string::npos ||
           fact.first.find("loss_weight") != std::string::npos;
  });
  EXPECT_LT(older.size() + 20, all.size());
  EXPECT_THAT(fact_differences(older, all), testing::IsEmpty());
}

TEST(CompareFactsTest, AFolderOfSomethingElseIsRefused) {
  TemporaryFolder folder;
  folder.write("photo.jpg", "x");
  EXPECT_THROW(check_same_comparison(folder.path(), {}), Error);
  folder.write("comparison.json", "{}");
  EXPECT_THROW(check_same_comparison(folder.path(), {}), Error);
}

}  // namespace
}  // namespace conclave
