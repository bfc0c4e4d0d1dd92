#include "jobs/comparison_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "jobs/comparison_statistics.h"
#include "jobs/run_folder.h"
#include "jobs/side_by_side.h"

namespace conclave {
namespace {

using testing::HasSubstr;
using testing::Not;
using Json = nlohmann::ordered_json;

// A PNG of 4 x 6 pixels.
const std::string kPicture(
    "\x89\x50\x4e\x47\x0d\x0a\x1a\x0a\x00\x00\x00\x0d\x49\x48\x44\x52\x00\x00\x00\x04\x00\x00\x00\x06\x08\x02\x00\x00"
    "\x00\x6b\x5b\xa8\x22\x00\x00\x00\x3e\x49\x44\x41\x54\x78\xda\x0d\xc7\xa1\x01\x00\x41\x08\x04\xb1\x2f\x9b\x0e\x30"
    "\xab\xd1\x18\xcc\xe8\xed\x00\x73\x65\x3d\x71\xf9\x5e\xe0\xa0\x03\x05\xdf\x4b\x9c\x74\xa2\xbc\x14\x2e\xba\x50\x5d"
    "\x06\x0f\x3d\x68\x2e\xc6\xa6\x8d\x7c\x59\xbc\xf4\xa2\xe5\x07\xed\x5a\x2e\xa5\x03\x19\xab\xdf\x00\x00\x00\x00\x49"
    "\x45\x4e\x44\xae\x42\x60\x82",
    119);

const std::vector<std::string> kMethods = {"pseudo", "kd",     "kd_labels", "ignore", "labels",      "background",
                                           "relu",   "kd_cwd", "kd_giou",   "self",   "pseudo_view", "balanced"};

// Repeatable and without pattern, in [-1, 1].
double noise(std::size_t a, std::size_t b, std::size_t c) {
  return std::sin(12.9898 * static_cast<double>(a + 1) + 78.233 * static_cast<double>(b + 1) +
                  37.719 * static_cast<double>(c + 1));
}

ApNumbers numbers(double ap) {
  ApNumbers out;
  out.ap = ap;
  out.ap50 = std::min(1.0, 1.7 * ap);
  return out;
}

Json curve_json(double strength) {
  Json precision = Json::array();
  for (int r = 0; r <= 100; ++r) {
    const double recall = r / 100.0;
    precision.push_back(recall > 0.97 ? Json() : Json(std::max(0.0, 1 - std::pow(recall, 6 * strength))));
  }
  return precision;
}

// Some methods over seeds, each run with everything that a real one leaves, in folders below `folder`.
Comparison full_comparison(const RunFolder& folder, std::size_t methods, std::size_t seeds,
                           const std::vector<std::string>& classes) {
  Comparison comparison;
  comparison.name = "Which way of merging is best on blood cells";
  comparison.classes = classes;
  comparison.baseline = "pseudo";
  comparison.budget = "8000 images (1000 steps of 8) for every method";
  if (methods > 4) {
    comparison.lower = "ignore";
    comparison.upper = "labels";
  }
  for (std::size_t s = 0; s < seeds; ++s) comparison.seeds.push_back(s);
  for (std::size_t m = 0; m < methods; ++m) {
    comparison.methods.push_back({kMethods[m],
                                  "what the method does in one line",
                                  {"fusion.method=" + kMethods[m], "fusion.loss=qfl"},
                                  kMethods[m],
                                  "qfl",
                                  {},
                                  "val, every 250 steps"});
    for (std::size_t s = 0; s < seeds; ++s) {
      ComparedRun run;
      run.method = kMethods[m];
      run.seed = s;
      run.state = RunState::kDone;
      const std::string name = "runs/" + kMethods[m] + "-" + std::to_string(s);
      run.folder = folder.path() / name;
      const double level = 0.46 + 0.012 * static_cast<double>(m % 5) + 0.006 * noise(m, s, 0);
      StudentResult student;
      student.parameters = 971207;
      student.set = "test";
      student.images = 72;
      student.all = numbers(level);
      Json per_class = Json::object();
      for (std::size_t c = 0; c < classes.size(); ++c) {
        const double own = level * (0.8 + 0.2 * static_cast<double>(c)) + 0.01 * noise(m, s, c);
        student.per_class[classes[c]] = numbers(own);
        run.record.teachers.push_back({"t" + std::to_string(c), {classes[c]}, {{classes[c], numbers(0.45)}}});
        Json bins = Json::array();
        for (int b = 0; b < 10; ++b) {
          bins.push_back({{"score", 0.05 + 0.1 * b},
                          {"precision", std::pow(0.05 + 0.1 * b, 1 + 0.1 * static_cast<double>(m))},
                          {"count", 100 - 9 * b}});
        }
        per_class[classes[c]] = {{"objects", 100},
                                 {"curve", {{"precision", curve_json(1 + own)}}},
                                 {"calibration", {{"bins", bins}, {"error", 0.04 + 0.01 * static_cast<double>(m)}}},
                                 {"threshold",
                                  {{"score", 0.4 + 0.02 * noise(m, s, c)},
                                   {"found", true},
                                   {"precision", 0.81},
                                   {"recall", 0.77},
                                   {"f1", 0.79}}}};
      }
      run.record.student = student;
      run.record.classes = classes;
      run.record.coverage = "set    " + classes.front() + "\nthird  " + kMethods[m];
      run.record.environment = {{"cpu", "AMD EPYC"}, {"threads", "1"}};
      TrainingResult training;
      training.steps = 1000;
      training.seconds = 130 + 3 * noise(m, s, 1);
      training.images_per_second = 61;
      training.teacher_wait = 4;
      training.trainer_memory = 8e8;
      run.record.training = training;
      for (int step = 20; step <= 1000; step += 20) {
        TrainingRow row;
        row.step = step;
        row.loss = 4 * std::exp(-step / 300.0) + 0.6 + 0.1 * noise(m, s, static_cast<std::size_t>(step));
        run.metrics.training.push_back(row);
        if (step % 200 != 0) continue;
        EvaluationRow eval;
        eval.step = step;
        eval.set = "val";
        eval.all = numbers(level * (1 - std::exp(-step / 250.0)));
        for (const std::string& cls : classes) eval.per_class[cls] = eval.all;
        run.metrics.evaluations.push_back(eval);
      }
      const Json quality = {{"set", "test"},
                            {"thresholds_from", "val"},
                            {"detectors", Json::array({{{"name", "student"}, {"per_class", per_class}}})}};
      folder.write(name + "/quality.json", quality.dump(-1, ' ', false, Json::error_handler_t::replace));
      comparison.runs.push_back(std::move(run));
    }
  }
  return comparison;
}

void write_pictures(const RunFolder& folder, const Comparison& comparison, const std::vector<std::string>& viewers,
                    int images) {
  Json groups = Json::array();
  for (int i = 0; i < images; ++i) {
    Json tiles = Json::array();
    for (const std::string& viewer : viewers) {
      const std::string file = "pictures/" + std::to_string(i) + "-" + std::to_string(tiles.size()) + ".png";
      folder.write(file, kPicture);
      tiles.push_back({{"file", file}, {"caption", viewer}});
    }
    groups.push_back(
        {{"title", "BloodImage_0000" + std::to_string(i) + ".jpg"}, {"note", "A large change."}, {"tiles", tiles}});
  }
  folder.write("pictures.json", Json({{"pictures", groups},
                                      {"picture_key", {{{"name", "RBC"}, {"colour", "#e69f00"}}}},
                                      {"seed", 0},
                                      {"drawn_from", picture_sources(comparison)}})
                                    .dump(-1, ' ', false, Json::error_handler_t::replace));
}

std::string page_of(const RunFolder& folder, Comparison comparison) {
  summarise(comparison);
  write_comparison_page(comparison, folder.path() / "report.html");
  return folder.read("report.html");
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++n;
  return n;
}

// The page may also be kept, to be looked at: CONCLAVE_PAGES=FOLDER test_jobs --gtest_filter=ComparisonPage.*
void keep(const std::string& name, const std::string& html) {
  const char* folder = std::getenv("CONCLAVE_PAGES");
  if (folder != nullptr) std::ofstream(std::filesystem::path(folder) / name, std::ios::binary) << html;
}

TEST(ComparisonPage, HoldsEveryMethodClassCurveAndPictureOfTwelveMethodsAndFiveSeeds) {
  const RunFolder folder;
  const std::vector<std::string> classes = {"RBC", "WBC", "Platelets"};
  std::vector<std::string> viewers = {"labels", "teacher rbc", "teacher wbc"};
  viewers.insert(viewers.end(), kMethods.begin(), kMethods.end());
  const Comparison comparison = full_comparison(folder, 12, 5, classes);
  write_pictures(folder, comparison, viewers, 4);
  const std::string html = page_of(folder, comparison);
  keep("twelve.html", html);
  for (const char* title :
       {"Methods compared", "Each class", "What is kept of the teachers", "Cost", "Side by side", "Learning",
        "Precision and recall", "Thresholds", "Calibration", "Every run", "How it was made", "Who supervises what"}) {
    EXPECT_THAT(html, HasSubstr("<h2>" + std::string(title) + "</h2>"));
  }
  for (const std::string& method : kMethods) EXPECT_GE(count(html, ">" + method + "<"), 5u) << method;
  // A whisker per method for all classes and for each: its level, and but for the baseline its difference.
  EXPECT_EQ(count(html, "<circle class=\"dot\""), 4u * (12 + 11));
  EXPECT_EQ(count(html, "<circle class=\"seed\""), 4u * 12 * 5);
  // Curves: AP (mean and 3 classes) and loss, each with bands, precision-recall and calibration with diagonals.
  EXPECT_EQ(count(html, "<path class=\"band\""), 12u * 5);
  EXPECT_EQ(count(html, "<path class=\"series\""), 12u * 5 + 12 * 3 + 12 * 3 + 3);
  EXPECT_EQ(count(html, "src=\"data:image/png;base64,"), 4 * viewers.size());
  EXPECT_EQ(count(html, "<summary>Every pair of methods</summary>"), 1u);
  EXPECT_THAT(html, Not(HasSubstr("nan")));
  EXPECT_LT(html.size(), 1u << 20);
}

TEST(ComparisonPage, RefersToNothingOutsideAndRunsNothing) {
  const RunFolder folder;
  const Comparison comparison = full_comparison(folder, 3, 2, {"a", "b"});
  write_pictures(folder, comparison, {"labels"}, 1);
  const std::string html = page_of(folder, comparison);
  for (const char* outside : {"http", "<link", "url(", "@import", "<script", "onload", "onerror"}) {
    EXPECT_THAT(html, Not(HasSubstr(outside)));
  }
}

TEST(ComparisonPage, PutsTheVerdictFirstAndTheNotesUnderIt) {
  const RunFolder folder;
  Comparison comparison = full_comparison(folder, 3, 3, {"a", "b"});
  summarise(comparison);
  comparison.verdicts = {"kd is better.", "The rest is not known."};
  comparison.notes = {"One run is missing."};
  write_comparison_page(comparison, folder.path() / "report.html");
  const std::string html = folder.read("report.html");
  EXPECT_LT(html.find("kd is better."), html.find("<h2>"));
  EXPECT_LT(html.find("kd is better."), html.find("The rest is not known."));
  EXPECT_LT(html.find("One run is missing."), html.find("<h2>"));
}

TEST(ComparisonPage, TellsMissingAndFailedRunsAndLeavesOutWhatNoRunLeft) {
  const RunFolder folder;
  Comparison comparison = full_comparison(folder, 2, 2, {"a"});
  comparison.runs[1].state = RunState::kMissing;
  comparison.runs[2].state = RunState::kFailed;
  comparison.runs[2].failure = "the disk is <full>";
  for (const ComparedRun& run : comparison.runs) std::filesystem::remove(run.folder / "quality.json");
  const std::string html = page_of(folder, comparison);
  keep("partial.html", html);
  EXPECT_THAT(html, HasSubstr("2 of 4 runs finished"));
  EXPECT_THAT(html, HasSubstr("<td class=\"num\">missing</td>"));
  EXPECT_THAT(html, HasSubstr("<td class=\"num\">failed</td>"));
  EXPECT_THAT(html, HasSubstr("the disk is &lt;full&gt;"));
  EXPECT_THAT(html, Not(HasSubstr("<h2>Precision and recall</h2>")));
  EXPECT_THAT(html, Not(HasSubstr("<h2>Side by side</h2>")));
  EXPECT_THAT(html, Not(HasSubstr("nan")));
}

TEST(ComparisonPage, SaysOfTheTestSetNoMoreThanIsKnown) {
  const RunFolder folder;
  Comparison comparison = full_comparison(folder, 2, 2, {"a"});
  EXPECT_THAT(page_of(folder, comparison), HasSubstr("No finished run learnt from an image of the test set."));
  comparison.runs[1].record.student->seen_images = 3;
  const std::string html = page_of(folder, comparison);
  EXPECT_THAT(html, HasSubstr("Some runs learnt from images of the test set."));
  EXPECT_THAT(html, HasSubstr("<td>weights chosen by</td><td>val, every 250 steps</td>"));
}

TEST(ComparisonPage, IsReadableBeforeAnyRunIsFinished) {
  const RunFolder folder;
  Comparison comparison = full_comparison(folder, 2, 2, {"a"});
  for (ComparedRun& run : comparison.runs) {
    run.state = RunState::kMissing;
    run.record = {};
    run.metrics = {};
  }
  const std::string html = page_of(folder, comparison);
  EXPECT_THAT(html, HasSubstr("0 of 4 runs finished"));
  EXPECT_THAT(html, Not(HasSubstr("nan")));
}

TEST(ComparisonPage, EscapesHostileNamesEverywhere) {
  const RunFolder folder;
  const std::string evil = "<img src=x onerror=alert(1)>";
  Comparison comparison = full_comparison(folder, 2, 2, {evil, "b"});
  comparison.name = comparison.budget = comparison.baseline = evil;
  comparison.methods[0] = {evil, evil, {evil}, evil, evil, evil, evil};
  for (ComparedRun& run : comparison.runs) {
    if (run.method == "pseudo") run.method = evil;
    run.record.environment = {{evil, evil}};
    run.record.coverage = evil;
    run.record.student->set = evil;
  }
  write_pictures(folder, comparison, {evil}, 1);
  const std::string html = page_of(folder, comparison);
  EXPECT_THAT(html, HasSubstr("&lt;img src=x onerror=alert(1)&gt;"));
  EXPECT_THAT(html, Not(HasSubstr("<img src=x")));
}

TEST(ComparisonPage, KeepsTheOldPageWhenARunsFileIsDamaged) {
  const RunFolder folder;
  Comparison comparison = full_comparison(folder, 2, 2, {"a"});
  folder.write("report.html", "old");
  folder.write("runs/kd-1/quality.json", "{");
  EXPECT_THROW(page_of(folder, comparison), Error);
  EXPECT_EQ(folder.read("report.html"), "old");
}

}  // namespace
}  // namespace conclave
