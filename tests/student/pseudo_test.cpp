#include "student/pseudo.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <deque>
#include <fstream>

#include "core/error.h"
#include "core/file.h"
#include "datasets/view_recipe.h"
#include "fusion/sparse.h"
#include "models/spec.h"
#include "student/batch.h"
#include "student/pseudo_journal.h"
#include "support/temporary_folder.h"

namespace conclave {
namespace {

constexpr int kSize = 64;  // of images and views alike: plain views are the images

struct Seen {
  Box box;
  float score = 0;
};

// What a teacher of one class says where it sees these boxes.
SoftTargets saying(const std::vector<Seen>& boxes, double floor = kLeastPseudoScore) {
  const int cells = kSize / kStride;
  HeadOutputs heads{at::full({1, 1, cells, cells}, -20.0F), at::zeros({1, 2, cells, cells}),
                    at::zeros({1, 2, cells, cells})};
  for (const auto& [box, score] : boxes) {
    const float x = (box.x0 + box.x1) / 2 / kStride, y = (box.y0 + box.y1) / 2 / kStride;
    const auto column = static_cast<std::int64_t>(x), row = static_cast<std::int64_t>(y);
    heads.heat[0][0][row][column] = std::log(score / (1 - score));
    heads.wh[0][0][row][column] = box.width() / kStride;
    heads.wh[0][1][row][column] = box.height() / kStride;
    heads.offset[0][0][row][column] = x - static_cast<float>(column);
    heads.offset[0][1][row][column] = y - static_cast<float>(row);
  }
  return sparsify(heads, 0, {static_cast<float>(floor), BoxRule::kPeaks});
}

void expect_box(const Detection& found, const Box& box, int cls, float score) {
  EXPECT_EQ(found.cls, cls);
  EXPECT_NEAR(found.score, score, 2e-3) << "logits travel as half floats";
  EXPECT_NEAR(found.box.x0, box.x0, 0.1);
  EXPECT_NEAR(found.box.y0, box.y0, 0.1);
  EXPECT_NEAR(found.box.x1, box.x1, 0.1);
  EXPECT_NEAR(found.box.y1, box.y1, 0.1);
}

// Answers with what `see` says of (set, image), and notes what was asked.
class Knowing final : public TargetSource {
 public:
  using See = std::function<std::vector<SoftTargets>(const ViewKey&)>;
  explicit Knowing(See see) : see_(std::move(see)) {}
  void ask(const TargetRequest& request) override {
    asked.push_back(request.key);
    pending_.push_back(request.key);
  }
  void flush() override {}
  std::vector<SoftTargets> take() override {
    const ViewKey key = pending_.front();
    pending_.pop_front();
    if (asked.size() - pending_.size() > fail_after) throw Error("no worker", "teacher", {}, Exit::kStalled);
    return see_(key);
  }
  SourceStats stats() const override { return {}; }

  std::vector<ViewKey> asked;
  std::size_t fail_after = SIZE_MAX;

 private:
  See see_;
  std::deque<ViewKey> pending_;
};

const std::vector<TeacherChannels> kTeachers = {{"red", {0}}, {"blue", {1}}, {"blue too", {1}}};
const Box kLeft{8, 8, 24, 24}, kRight{40, 8, 56, 24}, kLow{8, 40, 24, 56};

Dataset set_of(const std::string& name, std::vector<bool> labelled, std::size_t images) {
  Dataset set;
  set.name = name;
  set.classes = {"red", "blue"};
  set.labelled = std::move(labelled);
  for (std::size_t i = 0; i < images; ++i) {
    set.images.push_back({"/nowhere/" + std::to_string(i), kSize, kSize, static_cast<std::int64_t>(i + 1), {}});
  }
  return set;
}

// Red is labelled on the training set; the validation set labels both.
struct Little {
  Little() {
    options.classes = {"red", "blue"};
    options.views.width = options.views.height = kSize;
    options.training.window = 3;
    options.fusion.method = Method::kPseudo;
    datasets = {set_of("train", {true, false}, 5)};
    datasets[0].images[0].annotations = {{kLeft, 0}, {kRight, 1}};
    val = set_of("val", {true, true}, 4);
    for (ImageEntry& image : val->images) image.annotations = {{kLeft, 1}};
    coverage = derive_coverage(Method::kPseudo, true, options.classes, {{"train", {true, false}}}, kTeachers);
  }

  PseudoInput input() const { return {options, datasets, val, coverage, kTeachers}; }
  // On the validation set blue is right from 0.6 on and wrong twice below; in training it is seen at 0.7 and 0.3.
  static std::vector<SoftTargets> see(const ViewKey& key) {
    if (key.dataset == 1) {
      const float right = 0.9F - 0.1F * static_cast<float>(key.image);  // 0.9, 0.8, 0.7, 0.6
      return {saying({}), saying({{kLeft, right}, {kRight, key.image < 2 ? 0.4F : 0.0001F}}), saying({})};
    }
    return {saying({{kLow, 0.9F}}), saying({{kRight, 0.7F}}), saying({{kLow, 0.3F}})};
  }

  RunOptions options;
  std::vector<Dataset> datasets;
  std::optional<Dataset> val;
  Coverage coverage;
};

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(PseudoBoxes, AreDecodedForTheirFrameAndCutOffPerClass) {
  const PseudoRule rule{PseudoMerge::kNms, {{.score = 0.6F}, {.score = 0.2F}}, false};
  const std::vector<SoftTargets> targets = {saying({{kLeft, 0.8F}, {kLow, 0.5F}}), saying({{kRight, 0.25F}}),
                                            saying({})};
  const auto boxes = pseudo_boxes(targets, kTeachers, {}, rule, {{}, kSize, kSize});
  ASSERT_EQ(boxes.size(), 2u);
  expect_box(boxes[0], kLeft, 0, 0.8F);
  expect_box(boxes[1], kRight, 1, 0.25F);
  // An image twice as large as its view, cut off at 100 pixels.
  const auto larger = pseudo_boxes(targets, kTeachers, {}, rule, {{.a = 2, .e = 2}, 100, 100});
  expect_box(larger[1], {80, 16, 100, 48}, 1, 0.25F);
}

TEST(PseudoBoxes, KeepTheBestOfSeveralTeachersOrFuseThem) {
  const Box shifted{42, 8, 58, 24};
  const std::vector<SoftTargets> targets = {saying({}), saying({{kRight, 0.8F}, {kLow, 0.6F}}),
                                            saying({{shifted, 0.4F}})};
  const PseudoFrame frame{{}, kSize, kSize};
  const auto best = pseudo_boxes(targets, kTeachers, {}, {PseudoMerge::kNms, {}, false}, frame);
  ASSERT_EQ(best.size(), 2u);
  expect_box(best[0], kRight, 1, 0.8F);
  const auto fused = pseudo_boxes(targets, kTeachers, {}, {PseudoMerge::kWbf, {}, false}, frame);
  ASSERT_EQ(fused.size(), 2u);
  expect_box(fused[0], {40 + 2.0F / 3, 8, 56 + 2.0F / 3, 24}, 1, 0.6F);
  expect_box(fused[1], kLow, 1, 0.3F);  // one of two teachers sees it
  const auto cut =
      pseudo_boxes(targets, kTeachers, {}, {PseudoMerge::kWbf, {{.score = 1}, {.score = 0.5F}}, false}, frame);
  ASSERT_EQ(cut.size(), 1u) << "thresholds are those of fused scores";
}

// As in evaluation, where no box of one network hides another: two that overlap are two objects.
TEST(PseudoBoxes, OfOneChannelAllStay) {
  const Box first{8, 8, 40, 40}, second{16, 8, 48, 40};  // IoU 0.6
  const PseudoFrame frame{{}, kSize, kSize};
  const PseudoRule rule{PseudoMerge::kNms, {}, false};
  EXPECT_EQ(pseudo_boxes({saying({{first, 0.8F}, {second, 0.6F}})}, {{"red", {0}}}, {}, rule, frame).size(), 2u);
  const std::vector<SoftTargets> two = {saying({{first, 0.8F}}), saying({{second, 0.6F}})};
  EXPECT_EQ(pseudo_boxes(two, {{"red", {0}}, {"too", {0}}}, {}, rule, frame).size(), 1u);
}

TEST(PseudoLabels, FindEachClassesThresholdOnTheValidationSet) {
  const Little little;
  const TemporaryFolder folder;
  Knowing source(Little::see);
  const PseudoLabels labels = make_pseudo_labels(little.input(), source, folder.path() / "journal", false);
  ASSERT_EQ(labels.rule.thresholds.size(), 2u);
  EXPECT_NEAR(labels.rule.thresholds[1].score, 0.6, 2e-3) << "the four right ones, none of the wrong";
  EXPECT_NEAR(labels.rule.thresholds[1].f1, 1, 1e-9);
  EXPECT_EQ(labels.rule.thresholds[0].f1, -1) << "red is labelled: nothing was looked for";
  ASSERT_EQ(source.asked.size(), 9u);
  EXPECT_EQ(source.asked[0], (ViewKey{1, 0, kPlainView})) << "the validation set stands behind the training sets";
  EXPECT_EQ(source.asked[4], (ViewKey{0, 0, kPlainView}));
  ASSERT_EQ(labels.boxes.size(), 5u);
  for (const auto& boxes : labels.boxes) {
    ASSERT_EQ(boxes.size(), 1u);
    expect_box(boxes[0], kRight, 1, 0.7F);
  }
}

TEST(PseudoLabels, BecomeTheBoxesOfUnlabelledClassesAndWeighTheirScoresWhereSoft) {
  Little little;
  little.options.fusion.pseudo.threshold = 0.25;
  for (const bool soft : {false, true}) {
    little.options.fusion.pseudo.soft = soft;
    const TemporaryFolder folder;
    Knowing source(Little::see);
    const PseudoLabels labels = make_pseudo_labels(little.input(), source, folder.path() / "journal", false);
    EXPECT_EQ(source.asked.size(), 5u) << "with a given threshold nothing is asked about the validation set";
    std::vector<Dataset> datasets = little.datasets;
    EXPECT_EQ(add_pseudo_labels(datasets, little.coverage, labels), 10u);
    const auto& annotations = datasets[0].images[0].annotations;
    ASSERT_EQ(annotations.size(), 3u) << "the given box of blue, which is not labelled, is gone";
    EXPECT_EQ(annotations[0].cls, 0);
    EXPECT_EQ(annotations[0].weight, 1);
    EXPECT_EQ(annotations[1].cls, 1);
    EXPECT_NEAR(annotations[1].weight, soft ? 0.7 : 1, 2e-3);
    EXPECT_NEAR(annotations[2].weight, soft ? 0.3 : 1, 2e-3);
  }
}

TEST(PseudoLabels, GoOnWhereAKilledProcessWas) {
  const Little little;
  const TemporaryFolder folder;
  const auto file = folder.path() / "journal";
  Knowing whole(Little::see), broken(Little::see), rest(Little::see);
  const PseudoLabels expected = make_pseudo_labels(little.input(), whole, folder.path() / "whole", false);
  broken.fail_after = 6;  // four of the validation set, two in training
  EXPECT_THROW(make_pseudo_labels(little.input(), broken, file, false), Error);
  std::ofstream(file, std::ios::app) << "[[1,0.7,40";  // killed in the middle of a line
  const PseudoLabels labels = make_pseudo_labels(little.input(), rest, file, true);
  ASSERT_EQ(rest.asked.size(), 3u);
  EXPECT_EQ(rest.asked[0], (ViewKey{0, 2, kPlainView}));
  EXPECT_EQ(read_file(file), read_file(folder.path() / "whole"));
  EXPECT_EQ(labels.rule.thresholds[1].score, expected.rule.thresholds[1].score);
  Knowing silent(Little::see);
  make_pseudo_labels(little.input(), silent, file, true);
  EXPECT_TRUE(silent.asked.empty());
  Little other;
  other.val->images[0].annotations[0].box = kRight;
  const std::string before = read_file(file);
  EXPECT_NE(message_of([&] { make_pseudo_labels(other.input(), silent, file, true); }).find("other images"),
            std::string::npos)
      << "another validation set gives other thresholds";
  EXPECT_TRUE(silent.asked.empty());
  EXPECT_EQ(read_file(file), before) << "what was said stays";
}

TEST(PseudoLabels, LookForNoThresholdBelowTheLeast) {
  Little little;
  little.options.fusion.floor = 0.01;
  const TemporaryFolder folder;
  Knowing source([](const ViewKey& key) {  // every second object is seen only below the least score
    const float score = key.dataset == 1 && key.image % 2 == 0 ? 0.03F : 0.5F;
    return std::vector<SoftTargets>{saying({}), saying({{kLeft, score}}, 0.01), saying({})};
  });
  const PseudoLabels labels = make_pseudo_labels(little.input(), source, folder.path() / "journal", false);
  EXPECT_NEAR(labels.rule.thresholds[1].score, 0.5, 2e-3);
}

TEST(PseudoLabels, SayWhatAThresholdLacks) {
  Little little;
  little.val->labelled = {true, false};
  EXPECT_NE(message_of([&] { check_thresholds(little.input()); }).find("('val') does not label it"), std::string::npos);
  little.val->labelled = {false, true};
  EXPECT_NO_THROW(check_thresholds(little.input())) << "red is not asked of the teachers";
  for (ImageEntry& image : little.val->images) image.annotations[0].crowd = true;
  EXPECT_NE(message_of([&] { check_thresholds(little.input()); }).find("has no object of it"), std::string::npos);
  little.val.reset();
  const std::string what = message_of([&] { check_thresholds(little.input()); });
  EXPECT_NE(what.find("class 'blue'"), std::string::npos) << what;
  EXPECT_NE(what.find("fusion.pseudo.threshold"), std::string::npos) << what;
  little.options.fusion.pseudo.threshold = 0.3;
  EXPECT_NO_THROW(check_thresholds(little.input()));

  const TemporaryFolder folder;
  Little blind;
  Knowing source([](const ViewKey&) {
    return std::vector<SoftTargets>{saying({}), saying({{kLow, 0.9F}}), saying({})};
  });
  const std::string found =
      message_of([&] { make_pseudo_labels(blind.input(), source, folder.path() / "journal", false); });
  EXPECT_NE(found.find("none of the 4 objects on set 'val'"), std::string::npos) << found;
}

// A view of the training set on which red is labelled; the teachers see it as it is.
TEST(PseudoBatch, TakesTheTeachersBoxesOnTheViewItselfAndKeepsLabels) {
  Little little;
  little.options.fusion.pseudo.per_view = true;
  JoinedView joined;
  joined.view.key = {0, 0, 99};
  joined.view.width = joined.view.height = kSize;
  joined.view.pixels.resize(kSize * kSize * 3);
  joined.view.image_to_view = {-1, 0, kSize, 0, 1, 0};            // mirrored: boxes must not be moved by it
  joined.view.annotations = {{kLeft, 0}, {{30, 30, 50, 50}, 1}};  // the second is not to be trusted
  joined.targets = {saying({{kLow, 0.9F}}), saying({{{48, 8, 72, 24}, 0.7F}}), saying({{kLow, 0.3F}})};
  PseudoRule rule{PseudoMerge::kNms, {{.score = 1}, {.score = 0.5F}}, false};
  const Batch batch = make_batch({joined}, little.coverage, kTeachers, little.options.fusion, rule);
  const GroundTruth& labels = batch.targets.labels;
  ASSERT_EQ(labels.cls.size(0), 2);
  EXPECT_EQ(labels.cls[0].item<int>(), 0);
  EXPECT_EQ(labels.cls[1].item<int>(), 1);
  EXPECT_NEAR(labels.wh[0][0].item<float>(), 4, 1e-5);
  EXPECT_NEAR(labels.wh[1][0].item<float>(), 4, 0.02) << "48 to 64: cut off at the edge of the view";
  EXPECT_NEAR(labels.wh[1][1].item<float>(), 4, 0.02);
  EXPECT_FALSE(labels.weight.defined());
  EXPECT_TRUE(at::equal(batch.targets.label_mask, at::ones({1, 2})));
  EXPECT_TRUE(batch.targets.teachers.empty()) << "nothing is distilled";
  rule.soft = true;
  const Batch soft = make_batch({joined}, little.coverage, kTeachers, little.options.fusion, rule);
  EXPECT_EQ(soft.targets.labels.weight[0].item<float>(), 1);
  EXPECT_NEAR(soft.targets.labels.weight[1].item<float>(), 0.7, 2e-3);
}

}  // namespace
}  // namespace conclave
