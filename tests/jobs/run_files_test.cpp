#include "jobs/run_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "core/error.h"
#include "jobs/run_folder.h"

namespace conclave {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;

Error error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  return Error("nothing was thrown");
}

TEST(ReadRunRecord, ReadsEveryPart) {
  const RunFolder run;
  run.write("result.json", R"({"name":"n","method":"kd","loss":"qfl","seed":3,"classes":["B","A"],"coverage":"c",
    "student":{"parameters":950000,"set":"test","images":72,"all":{"ap":0.5,"ap50":0.86,"ap_small":-1},
               "per_class":{"B":{"ap":0.4,"ap50":0.7}}},
    "teachers":[{"name":"t","classes":["B"],"per_class":{"B":{"ap":0.41,"ap50":0.71}}}],
    "training":{"steps":1000,"images":8000,"seconds":130.2,"images_per_second":61.4,"data_wait":1.2,"teacher_wait":8.9,
                "teacher_busy":{"t":50.5},"trainer_memory":1000},
    "wire":{"views":8000,"bytes_per_view":{"z":3100.5,"a":1},"leases_reissued":2},
    "stored_views":12,
    "pictures":[{"title":"t","note":"n","tiles":[{"file":"pictures/0.jpg","caption":"x"}]}],
    "picture_key":[{"name":"B","colour":"#00aaFF"},{"name":"A","colour":"red"}],
    "environment":{"cpu":"EPYC","threads":2}})");
  const RunRecord record = read_run_record(run.path());
  EXPECT_EQ(record.seed, 3);
  EXPECT_EQ(record.classes, (std::vector<std::string>{"B", "A"}));
  ASSERT_TRUE(record.student && record.student->all && record.training && record.wire);
  EXPECT_EQ(record.student->parameters, 950000);
  EXPECT_EQ(record.student->all->ap50, 0.86);
  EXPECT_EQ(record.student->all->ap75, -1) << "absent";
  EXPECT_EQ(record.student->per_class.at("B").ap, 0.4);
  ASSERT_EQ(record.teachers.size(), 1u);
  EXPECT_EQ(record.teachers[0].per_class.at("B").ap50, 0.71);
  EXPECT_EQ(record.training->teacher_wait, 8.9);
  EXPECT_EQ(record.wire->bytes_per_view[0], (std::pair<std::string, double>{"z", 3100.5})) << "in the file's order";
  EXPECT_EQ(record.wire->leases_reissued, 2);
  EXPECT_EQ(record.pictures.groups.at(0).tiles.at(0).file, "pictures/0.jpg");
  EXPECT_EQ(record.pictures.groups[0].note, "n");
  ASSERT_EQ(record.pictures.key.size(), 1u) << "red is not a colour as it must be written";
  EXPECT_EQ(record.pictures.key[0].colour, "#00aaFF");
  EXPECT_EQ(record.stored_views, 12);
  EXPECT_EQ(record.training->teacher_busy[0], (std::pair<std::string, double>{"t", 50.5}));
  EXPECT_EQ(record.training->trainer_memory, 1000);
  EXPECT_TRUE(std::isnan(record.training->worker_memory));
  EXPECT_EQ(record.environment[1], (std::pair<std::string, std::string>{"threads", "2"}));
}

TEST(ReadRunRecord, LeavesAbsentPartsEmpty) {
  const RunFolder run;
  run.write("result.json", R"({"student":null})");
  const RunRecord record = read_run_record(run.path());
  EXPECT_FALSE(record.seed || record.student || record.training || record.wire);
  EXPECT_THAT(record.teachers, IsEmpty());
}

TEST(ReadRunRecord, NamesTheLineOfASyntaxError) {
  const RunFolder run;
  run.write("result.json", "{\"name\": \"n\",\n\"seed\": 1,\n\"method\": }\n");
  EXPECT_THAT(error_of([&] { read_run_record(run.path()); }).where(), EndsWith("result.json:3"));
}

TEST(ReadRunRecord, NamesTheFieldOfAWrongType) {
  const RunFolder run;
  run.write("result.json", R"({"teachers":[{"name":"a"},{"per_class":{"x":{"ap50":"high"}}}]})");
  EXPECT_THAT(error_of([&] { read_run_record(run.path()); }).what(),
              HasSubstr("`teachers[1].per_class.x.ap50` must be a number, not string"));
  run.write("result.json", "[]");
  EXPECT_THAT(error_of([&] { read_run_record(run.path()); }).what(), HasSubstr("must be an object, not array"));
}

TEST(ReadRunRecord, NamesTheMissingFile) {
  const RunFolder run;
  EXPECT_THAT(error_of([&] { read_run_record(run.path()); }).what(), HasSubstr("result.json"));
}

TEST(ReadRunMetrics, TellsStepsFromEvaluations) {
  const RunFolder run;
  run.write("metrics.jsonl",
            "{\"step\":20,\"loss\":1.5,\"terms\":{\"heat\":1.0,\"wh\":0.5}}\n"
            "{\"step\":20,\"eval\":{\"set\":\"val\",\"ap\":0.1,\"ap50\":0.2,\"per_class\":{\"x\":{\"ap\":-1}}}}\n"
            "{\"step\":40,\"loss\":null}\n");
  const RunMetrics metrics = read_run_metrics(run.path());
  ASSERT_EQ(metrics.training.size(), 2u);
  EXPECT_EQ(metrics.training[0].terms[1], (std::pair<std::string, double>{"wh", 0.5}));
  EXPECT_TRUE(std::isnan(metrics.training[0].lr));
  EXPECT_TRUE(std::isnan(metrics.training[1].loss)) << "null is how JSON writes NaN";
  ASSERT_EQ(metrics.evaluations.size(), 1u);
  EXPECT_EQ(metrics.evaluations[0].all.ap50, 0.2);
  EXPECT_EQ(metrics.evaluations[0].per_class.at("x").ap, -1);
  EXPECT_EQ(metrics.note, "");
}

TEST(ReadRunMetrics, IgnoresATornLastLineWithANote) {
  const RunFolder run;
  run.write("metrics.jsonl", "{\"step\":20,\"loss\":1.5}\n{\"step\":40,\"lo");
  const RunMetrics metrics = read_run_metrics(run.path());
  EXPECT_EQ(metrics.training.size(), 1u);
  EXPECT_EQ(metrics.note, "The last line of metrics.jsonl (2) was cut off and is ignored.");
}

TEST(ReadRunMetrics, TakesAWholeLastLineWithoutItsLineFeed) {
  const RunFolder run;
  run.write("metrics.jsonl", "{\"step\":20,\"loss\":1.5}");
  EXPECT_EQ(read_run_metrics(run.path()).training.size(), 1u);
  EXPECT_EQ(read_run_metrics(run.path()).note, "");
}

TEST(ReadRunMetrics, RejectsADamagedLineInTheMiddle) {
  const RunFolder run;
  run.write("metrics.jsonl", "{\"step\":20}\n{\"step\":4\n{\"step\":60}\n");
  EXPECT_THAT(error_of([&] { read_run_metrics(run.path()); }).where(), EndsWith("metrics.jsonl:2"));
  run.write("metrics.jsonl", "{\"step\":20}\n{\"step\":\"x\"}\n");
  const Error error = error_of([&] { read_run_metrics(run.path()); });
  EXPECT_THAT(error.where(), EndsWith("metrics.jsonl:2"));
  EXPECT_THAT(error.what(), HasSubstr("`step` must be a whole number"));
}

TEST(ReadRunMetrics, LetsAResumedRunReplaceWhatItRepeats) {
  const RunFolder run;
  run.write("metrics.jsonl",
            "{\"step\":20,\"loss\":1}\n{\"step\":40,\"loss\":2}\n{\"step\":60,\"loss\":3}\n"
            "{\"step\":40,\"loss\":4}\n{\"step\":60,\"loss\":5}\n");
  const RunMetrics metrics = read_run_metrics(run.path());
  ASSERT_EQ(metrics.training.size(), 3u);
  EXPECT_EQ(metrics.training[1].loss, 4);
  EXPECT_EQ(metrics.training[2].loss, 5);
}

TEST(ReadRunMetrics, IsEmptyWithoutAFile) {
  const RunFolder run;
  EXPECT_THAT(read_run_metrics(run.path()).training, IsEmpty());
}

}  // namespace
}  // namespace conclave
