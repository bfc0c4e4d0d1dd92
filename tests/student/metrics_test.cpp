#include "student/metrics.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/file.h"
#include "support/temporary_folder.h"

namespace conclave {
namespace {

TEST(Metrics, CutsRowsBeyondTheStepAndATornLastRow) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "metrics.jsonl";
  std::ofstream(path) << "{\"step\":1}\n{\"step\":2}\n{\"step\":2,\"eval\":{}}\n{\"step\":3}\n{\"st";
  {
    RowFile file(path, RowFile::Format::kJson, 2);
    file.write("{\"step\":3,\"again\":1}");
    file.flush();
  }
  EXPECT_EQ(read_file(path), "{\"step\":1}\n{\"step\":2}\n{\"step\":2,\"eval\":{}}\n{\"step\":3,\"again\":1}\n");
}

TEST(Metrics, StartsOverAtStepZero) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "trace.txt";
  std::ofstream(path) << "1 0x1p+0\n2 0x1p+1\n";
  RowFile file(path, RowFile::Format::kTrace, 0);
  file.flush();
  EXPECT_EQ(read_file(path), "");
}

TEST(Metrics, TraceRowsHoldTheLossBitForBit) {
  const float loss = 0.1f;
  const std::string row = trace_row(12, loss);
  EXPECT_EQ(row, "12 0x1.99999ap-4");
  EXPECT_EQ(std::strtof(row.c_str() + 3, nullptr), loss);
}

TEST(Metrics, AStepRowHasItsFields) {
  StepMetrics metrics;
  metrics.step = 20;
  metrics.loss = 1.5;
  metrics.terms = {{"labels/heat", 1.0}, {"rbc/wh", 0.5}};
  const auto json = to_json(metrics);
  EXPECT_EQ(json["step"], 20);
  EXPECT_EQ(json["terms"]["rbc/wh"], 0.5);
  for (const char* key : {"epoch", "loss", "lr", "images_per_second", "data_wait", "teacher_wait", "grad_norm"}) {
    EXPECT_TRUE(json.contains(key)) << key;
  }
}

}  // namespace
}  // namespace conclave
