#include "cli/config_teacher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "core/error.h"
#include "core/file.h"

namespace conclave {
namespace {

class TeacherFileText : public ::testing::Test {
 protected:
  TeacherFileText() : folder_(std::filesystem::temp_directory_path() / ("conclave-cli-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  ~TeacherFileText() override { std::filesystem::remove_all(folder_); }

  TeacherOptions read(const std::string& text) const {
    write_file_atomically(folder_ / "t.yaml", text);
    return read_teacher_file((folder_ / "t.yaml").string());
  }

  std::filesystem::path folder_;
};

TEST_F(TeacherFileText, SaysWhatTheNetworkTakesAndGives) {
  const TeacherOptions teacher = read(
      "name: cats\nweights: cats.onnx\nclasses: [cat, dog]\nformat: {kind: boxes, outputs: {boxes: b, scores: \"1\"}, "
      "input: [640, 480], colour: bgr, heat: probability, first_class: 1, fit: stretch}\n");
  EXPECT_EQ(teacher.weights, (folder_ / "cats.onnx").string());
  EXPECT_EQ(teacher.classes, (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(teacher.format.kind, TeacherKind::kBoxes);
  EXPECT_EQ(teacher.format.width, 640);
  EXPECT_EQ(teacher.format.height, 480);
  EXPECT_TRUE(teacher.format.bgr);
  EXPECT_TRUE(teacher.format.probability);
  EXPECT_EQ(teacher.format.fit, Fit::kStretch);
  EXPECT_EQ(teacher.format.outputs.back(), (std::pair<std::string, std::string>{"scores", "1"}));
}

TEST_F(TeacherFileText, ReadsBackAsItWasWritten) {
  TeacherOptions teacher;
  teacher.name = "cats";
  teacher.weights = (folder_ / "x.pt").string();
  teacher.classes = {"cat", "a: \"b\""};
  teacher.format.mean = {0.1f, 2, 3.5f};
  teacher.format.outputs = {{"heat", "2"}};
  teacher.format.nms = 0.45;
  const TeacherOptions again = read(teacher_file_text(teacher));
  EXPECT_EQ(again.name, teacher.name);
  EXPECT_EQ(again.weights, teacher.weights);
  EXPECT_EQ(again.classes, teacher.classes);
  EXPECT_EQ(text_of(again.format), text_of(teacher.format));
}

TEST_F(TeacherFileText, RefusesUnknownKeysAndMissingOnes) {
  const auto error_of = [&](const std::string& text) -> std::string {
    try {
      read(text);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_THAT(error_of("name: x\nweights: x.pt\nformat: {color: bgr}\n"), ::testing::HasSubstr("colour"));
  EXPECT_THAT(error_of("weights: x.pt\n"), ::testing::HasSubstr("name is missing"));
  EXPECT_THAT(error_of("name: x\n"), ::testing::HasSubstr("weights is missing"));
}

}  // namespace
}  // namespace conclave
