#include "student/status_board.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "student/tiny_run.h"
#include "teachers/local_source.h"

namespace conclave {
namespace {

bool shown_as_local(RunOptions options) {
  options.service.status = "127.0.0.1:0";
  const std::unique_ptr<TargetSource> source = make_empty_source();
  const StatusBoard board(options, 0, 1, *source, 0);
  return nlohmann::json::parse(fetch_page(board.address(), "status", 10)).at("local").get<bool>();
}

TEST(StatusBoard, CallsTeachersLocalWhereNoWorkerCouldServeThem) {
  const TinyRun tiny;
  RunOptions options = tiny.options("run", Method::kKd, {});
  options.service.source = "remote";
  EXPECT_FALSE(shown_as_local(options));
  options.service.store.mode = StoreMode::kAuto;
  EXPECT_FALSE(shown_as_local(options)) << "workers answer what the store lacks";
  options.service.store.mode = StoreMode::kReplay;
  EXPECT_TRUE(shown_as_local(options));
  options.service.store.mode = StoreMode::kOff;
  options.service.source = "local";
  EXPECT_TRUE(shown_as_local(options));
  options.service.source = "remote";
  options.fusion.method = Method::kLabels;
  EXPECT_TRUE(shown_as_local(options));
}

}  // namespace
}  // namespace conclave
