#include "jobs/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "jobs/run_folder.h"
#include "jobs/run_scores.h"

namespace conclave {
namespace {

using testing::HasSubstr;
using testing::Not;

ApNumbers numbers(double ap, double ap50) {
  ApNumbers out;
  out.ap = ap;
  out.ap50 = ap50;
  return out;
}

RunRecord two_classes() {
  RunRecord record;
  record.classes = {"RBC", "WBC"};
  StudentResult student;
  student.set = "test";
  student.images = 72;
  student.all = numbers(0.5, 0.86);
  student.per_class = {{"RBC", numbers(0.484, 0.772)}, {"WBC", numbers(0.655, 0.484)}};
  record.student = student;
  record.teachers = {{"rbc", {"RBC"}, {{"RBC", numbers(0.48, 0.762)}}},
                     {"wbc", {"WBC"}, {{"WBC", numbers(0.66, 0.968)}}}};
  return record;
}

TEST(Verdict, StatesTheShareOfEachTeachersAp50) {
  EXPECT_EQ(
      verdict(two_classes()),
      "The student reaches 101.3 % of its teachers' AP50 on RBC and 50.0 % on WBC, measured on test (72 images).");
}

TEST(Verdict, ComparesWithTheBestOfSeveralTeachersOfAClass) {
  RunRecord record = two_classes();
  record.teachers.push_back({"rbc2", {"RBC"}, {{"RBC", numbers(0.3, 0.965)}}});
  EXPECT_THAT(verdict(record), HasSubstr("80.0 % of its teachers' AP50 on RBC"));
}

TEST(Verdict, LeavesOutAClassWithoutGroundTruth) {
  RunRecord record = two_classes();
  record.student->per_class["WBC"] = numbers(-1, -1);
  EXPECT_EQ(verdict(record), "The student reaches 101.3 % of its teachers' AP50 on RBC, measured on test (72 images).");
}

TEST(Verdict, GivesTheStudentsOwnNumbersWithoutTeachers) {
  RunRecord record = two_classes();
  record.teachers.clear();
  EXPECT_EQ(verdict(record), "The student reaches 50.0 AP and 86.0 AP50 on test (72 images).");
  record.student.reset();
  EXPECT_EQ(verdict(record), "");
}

TEST(Verdict, GivesTheExtremesOfManyClasses) {
  RunRecord record = two_classes();
  record.teachers = {{"all", {}, {}}};
  for (const char* name : {"c", "d", "e", "RBC", "WBC"}) {
    record.student->per_class[name] = numbers(0.1, 0.5);
    record.teachers[0].per_class[name] = numbers(0.1, 0.5);
  }
  record.student->per_class["d"] = numbers(0.1, 0.25);
  record.student->per_class["e"] = numbers(0.1, 0.6);
  EXPECT_EQ(
      verdict(record),
      "The student reaches between 50.0 % (d) and 120.0 % (e) of its teacher's AP50 over 5 classes, measured on test "
      "(72 images).");
}

TEST(TeacherTable, PutsTeacherStudentAndWhatIsKeptSideBySide) {
  EXPECT_THAT(
      teacher_table_html(two_classes()),
      HasSubstr("<td>RBC<small>teacher rbc</small></td><td class=\"num\">76.2</td><td class=\"num\">77.2</td>"
                "<td class=\"num\">101.3 %<span class=\"bar\" aria-hidden=\"true\"><i style=\"width:81.0%\"></i><u></u>"
                "</span></td><td class=\"num\">48.0</td><td class=\"num\">48.4</td><td class=\"num\">100.8 %</td>"));
}

TEST(TeacherTable, ShowsADashWhereThereIsNoGroundTruthOrNoTeacher) {
  RunRecord record = two_classes();
  record.teachers.pop_back();
  record.student->per_class["RBC"] = numbers(-1, -1);
  const std::string html = teacher_table_html(record);
  EXPECT_THAT(html, HasSubstr("<td class=\"num\">76.2</td><td class=\"num\">–</td><td class=\"num\">–</td>"));
  EXPECT_THAT(html,
              HasSubstr("<td>WBC</td><td class=\"num\">–</td><td class=\"num\">48.4</td><td class=\"num\">–</td>"));
  EXPECT_THAT(html, Not(HasSubstr("-100")));
}

TEST(RunReport, EscapesHostileNamesEverywhere) {
  const RunFolder run;
  const std::string evil = "<img src=x onerror=alert(1)>";
  run.write("result.json", R"({"name":"E","method":"E","loss":"E","classes":["E"],"coverage":"E",
    "student":{"set":"E","all":{"ap":0.1,"ap50":0.2},"per_class":{"E":{"ap":0.1,"ap50":0.2}}},
    "teachers":[{"name":"E","classes":["E"],"per_class":{"E":{"ap":0.1,"ap50":0.2}}}],
    "wire":{"views":1,"bytes_per_view":{"E":1}},"training":{"teacher_busy":{"E":1}},
    "picture_key":[{"name":"E","colour":"#ffffff"},{"name":"x","colour":"E"}],
    "pictures":[{"title":"E","note":"E","tiles":[{"file":"E","caption":"E"}]}],"environment":{"E":"E"}})");
  std::string text = run.read("result.json");
  for (std::size_t at = 0; (at = text.find("\"E\"", at)) != std::string::npos; at += evil.size())
    text.replace(at + 1, 1, evil);
  run.write("result.json", text);
  run.write("metrics.jsonl", "{\"step\":1,\"loss\":1,\"terms\":{\"" + evil +
                                 "\":1}}\n{\"step\":1,\"eval\":{\"set\":\"" + evil + "\",\"ap\":0.1,\"per_class\":{\"" +
                                 evil + "\":{\"ap50\":0.1}}}}\n");
  run.write("config.yaml", evil);
  write_run_report(run.path());
  const std::string html = run.read("report.html");
  EXPECT_THAT(html, HasSubstr("&lt;img src=x onerror=alert(1)&gt;"));
  EXPECT_THAT(html, Not(HasSubstr("<img src=x")));
}

TEST(RunReport, LeavesOutWhatTheRunDidNotLeave) {
  const RunFolder run;
  run.write("result.json", R"({"name":"bare"})");
  write_run_report(run.path());
  const std::string html = run.read("report.html");
  EXPECT_THAT(html, HasSubstr("<h1>bare</h1>"));
  EXPECT_THAT(html, Not(HasSubstr("<h2>")));
}

TEST(RunReport, ShowsEverySectionOfAFullRun) {
  const RunFolder run;
  run.write("result.json", R"({"name":"n","method":"kd","coverage":"a  b\nc  d",
    "student":{"all":{"ap":0.1,"ap50":0.2},"per_class":{"x":{"ap":0.1,"ap50":0.2}}},
    "teachers":[{"name":"t","per_class":{"x":{"ap":0.1,"ap50":0.2}}}],
    "training":{"steps":10,"images":80,"seconds":100,"images_per_second":0.8,"data_wait":5,"teacher_wait":25},
    "wire":{"views":1048576,"bytes_per_view":{"t":2.5},"leases_reissued":7},
    "pictures":[{"title":"one.jpg","tiles":[{"file":"pictures/000.jpg","caption":"a picture"}]}]})");
  run.write("metrics.jsonl", "{\"step\":10,\"loss\":1.5,\"images_per_second\":0.8}\n{\"step\":");
  run.write("pictures/000.jpg", "foobar");
  write_run_report(run.path());
  const std::string html = run.read("report.html");
  for (const char* title :
       {"Teachers and student", "Learning", "Pictures", "Speed", "Wire", "Who supervises what", "Settings"}) {
    EXPECT_THAT(html, HasSubstr("<h2>" + std::string(title) + "</h2>"));
  }
  EXPECT_THAT(html, HasSubstr("src=\"data:image/jpeg;base64,Zm9vYmFy\""));
  EXPECT_THAT(html,
              HasSubstr("<td>of it waiting for teachers</td><td class=\"num\">25.0</td><td class=\"num\">25.0 %</td>"));
  EXPECT_THAT(html, HasSubstr("<td>t</td><td class=\"num\">2.5</td><td class=\"num\">2.50</td>"));
  EXPECT_THAT(html, HasSubstr("7 leases given out again"));
  EXPECT_THAT(html, HasSubstr("a  b\nc  d"));
  EXPECT_THAT(html, HasSubstr("was cut off and is ignored"));
}

TEST(RunReport, WarnsOfTestImagesThatWereSeenAndSaysWhatALastPartMeasured) {
  const RunFolder run;
  const auto write = [&](const std::string& student, const std::string& training) {
    run.write("result.json",
              R"({"student":{"images":72,"all":{"ap":0.1,"ap50":0.2},"per_class":{"x":{"ap":0.1,"ap50":0.2}})" +
                  student + R"(},"training":{"steps":1000,"images":80,"seconds":100,"teacher_wait":25)" + training +
                  "}}");
    write_run_report(run.path());
    return run.read("report.html");
  };
  const std::string clean = write("", "");
  EXPECT_THAT(clean, Not(HasSubstr("were in the training")));
  EXPECT_THAT(clean, Not(HasSubstr("pseudo labels")));
  EXPECT_THAT(clean, Not(HasSubstr("went on after")));
  const std::string told = write(R"(,"seen_images":12)", R"(,"labelling":7.5,"resumed_after":900)");
  EXPECT_THAT(told, HasSubstr("12 of the 72 test images were in the training"));
  EXPECT_THAT(told, HasSubstr("<td>making pseudo labels</td><td class=\"num\">7.5</td><td class=\"num\"></td>"));
  EXPECT_THAT(told, HasSubstr("It went on after step 900"));
}

TEST(RunReport, ShowsNoZeroForATimeThatWasNotMeasured) {
  const RunFolder run;
  run.write("result.json", R"({"training":{"steps":10,"images":80,"seconds":100,"teacher_wait":25}})");
  write_run_report(run.path());
  const std::string html = run.read("report.html");
  EXPECT_THAT(html, HasSubstr("waiting for teachers"));
  EXPECT_THAT(html, Not(HasSubstr("waiting for data")));
  EXPECT_THAT(html, Not(HasSubstr("<span>Speed</span>")));
}

TEST(RunReport, EmbedsNoFileFromOutsideTheRun) {
  const RunFolder run, other;
  other.write("secret.jpg", "foobar");
  run.write("result.json", R"({"pictures":[{"title":"t","tiles":[{"file":"../)" + other.path().filename().string() +
                               R"(/secret.jpg"},{"file":"link.jpg"},{"file":"gone.jpg"},{"file":")" +
                               (other.path() / "secret.jpg").string() + R"("}]}]})");
  std::filesystem::create_symlink(other.path() / "secret.jpg", run.path() / "link.jpg");
  write_run_report(run.path());
  const std::string html = run.read("report.html");
  EXPECT_THAT(html, Not(HasSubstr("Zm9vYmFy")));
  EXPECT_THAT(html, HasSubstr("gone.jpg is missing."));
}

TEST(RunReport, KeepsTheOldPageWhenTheResultIsDamaged) {
  const RunFolder run;
  run.write("report.html", "old");
  run.write("result.json", "{");
  EXPECT_THROW(write_run_report(run.path()), Error);
  EXPECT_EQ(run.read("report.html"), "old");
}

}  // namespace
}  // namespace conclave
