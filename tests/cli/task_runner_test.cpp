#include "cli/task_runner.h"

#include <gmock/gmock.h>

#include <fstream>
#include <memory>
#include <sstream>
#include <stdexcept>

#include "student/run_folder.h"
#include "support/temporary_folder.h"

namespace conclave {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class TaskRunner : public testing::Test {
 protected:
  Task shell(const std::string& name, const std::string& script) {
    Task task;
    task.name = name;
    task.process.command = {"/bin/sh", "-c", "cd " + folder_.path().string() + "; " + script};
    task.process.log = folder_ / (name + ".log");
    task.marker = folder_ / (name + ".done");
    return task;
  }

  std::vector<TaskState> run(std::vector<Task>& tasks, int slots) {
    TaskEvents events;
    events.started = [&](std::size_t t) {
      running_ += 1;
      most_ = std::max(most_, running_);
      order_.push_back(tasks[t].name);
    };
    events.ended = [&](std::size_t t) { running_ -= tasks[t].state == TaskState::kSkipped ? 0 : 1; };
    run_tasks(tasks, slots, events);
    std::vector<TaskState> states;
    for (const Task& task : tasks) states.push_back(task.state);
    return states;
  }

  TemporaryFolder folder_;
  int running_ = 0, most_ = 0;
  std::vector<std::string> order_;
};

TEST_F(TaskRunner, RunsSoManySideBySideAndEachAfterWhatItNeeds) {
  std::vector<Task> tasks;
  for (const char* name : {"0", "1", "2", "3", "4"}) tasks.push_back(shell(name, "sleep 0.1"));
  tasks[0].after = {4};
  EXPECT_THAT(run(tasks, 2), testing::Each(TaskState::kDone));
  EXPECT_EQ(most_, 2);
  EXPECT_EQ(order_.front(), "1");
  EXPECT_EQ(order_.back(), "0");
  EXPECT_TRUE(std::filesystem::exists(folder_ / "3.done"));
  EXPECT_GT(tasks[3].seconds, 0.05);
}

TEST_F(TaskRunner, AFailureIsToldAndStopsOnlyWhatNeedsIt) {
  std::vector<Task> tasks = {shell("a", "echo the disk is full; exit 3"), shell("b", "true"), shell("c", "true"),
                             shell("d", "true"), shell("e", "true")};
  tasks[1].after = {0};
  tasks[2].after_any = {0};
  tasks[3].after = {1};
  EXPECT_THAT(run(tasks, 1), ElementsAre(TaskState::kFailed, TaskState::kSkipped, TaskState::kDone, TaskState::kSkipped,
                                         TaskState::kDone));
  EXPECT_THAT(tasks[0].failure, HasSubstr("ended with code 3"));
  EXPECT_THAT(tasks[0].failure, HasSubstr("the disk is full"));
  EXPECT_THAT(tasks[1].failure, HasSubstr("it needs a"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "a.done"));
  EXPECT_THAT(order_, ElementsAre("a", "c", "e"));
}

TEST_F(TaskRunner, WhatIsDoneIsNotStarted) {
  std::vector<Task> tasks = {shell("a", "true"), shell("b", "true")};
  tasks[0].state = TaskState::kDone;
  tasks[1].after = {0};
  run(tasks, 4);
  EXPECT_THAT(order_, ElementsAre("b"));
}

TEST_F(TaskRunner, ATrainingMustLeaveItsResultAndASignalIsAFailure) {
  std::vector<Task> tasks = {shell("a", "true"), shell("b", "kill -9 $$"), shell("c", "touch c.done")};
  for (Task& task : tasks) task.folder = folder_.path();
  EXPECT_THAT(run(tasks, 1), ElementsAre(TaskState::kFailed, TaskState::kFailed, TaskState::kDone));
  EXPECT_THAT(tasks[0].failure, HasSubstr("left no"));
  EXPECT_THAT(tasks[1].failure, HasSubstr("signal 9"));
}

TEST_F(TaskRunner, AStepThatEndsWellWhileAllIsStoppedCountsAsDone) {
  std::vector<Task> tasks = {shell("a", "trap '' TERM; touch begun; sleep 0.3"), shell("b", "touch begun; sleep 60")};
  for (const std::size_t each : {0, 1}) {
    std::vector<Task> one = {tasks[each]};
    std::filesystem::remove(folder_ / "begun");
    TaskEvents events;
    events.idle = [&](double) {
      if (std::filesystem::exists(folder_ / "begun")) throw std::runtime_error("stop");
    };
    EXPECT_THROW(run_tasks(one, 1, events), std::runtime_error);
    EXPECT_EQ(std::filesystem::exists(one[0].marker), each == 0);
  }
}

TEST_F(TaskRunner, WhatAnotherProcessFinishedMeanwhileIsLookedAtAgainAndNotStarted) {
  std::vector<Task> tasks = {shell("a", "true"), shell("b", "touch b.done")};
  for (Task& task : tasks) {
    task.folder = folder_ / (task.name + "-run");
    std::filesystem::create_directories(task.folder);
  }
  std::vector<std::unique_ptr<RunLock>> others;
  for (const Task& task : tasks) others.push_back(std::make_unique<RunLock>(RunFolder{task.folder}));
  TaskEvents events;
  std::vector<std::string> ended;
  events.started = [&](std::size_t t) { order_.push_back(tasks[t].name); };
  events.idle = [&](double now) {
    if (now > 0.2) others.clear();
  };
  events.waited = [&](std::size_t t) {
    if (t == 0) tasks[t].state = TaskState::kDone;
  };
  events.ended = [&](std::size_t t) { ended.push_back(tasks[t].name); };
  run_tasks(tasks, 1, events);
  EXPECT_THAT(order_, ElementsAre("b"));
  EXPECT_THAT(ended, ElementsAre("a", "b"));
  EXPECT_EQ(tasks[1].state, TaskState::kDone);
}

TEST_F(TaskRunner, AFolderWhoseLockCannotBeReadIsAFailureAndNoReasonToWait) {
  std::vector<Task> tasks = {shell("a", "touch a.done"), shell("b", "touch b.done"), shell("c", "touch c.done")};
  for (Task& task : tasks) task.folder = folder_ / (task.name + "-run");
  std::filesystem::create_directories(tasks[0].folder / ".lock");
  folder_.write("file", "");
  tasks[1].process.log = folder_ / "file/b.log";
  EXPECT_THAT(run(tasks, 1), ElementsAre(TaskState::kFailed, TaskState::kFailed, TaskState::kDone));
  EXPECT_THAT(tasks[0].failure, HasSubstr("can't tell whether another process trains here"));
  EXPECT_THAT(tasks[1].failure, HasSubstr("could not be started"));
}

TEST_F(TaskRunner, AMarkerThatCannotBeWrittenIsAFailureOfThatTaskAlone) {
  std::vector<Task> tasks = {shell("a", "true"), shell("b", "true")};
  folder_.write("file", "");
  tasks[0].marker = folder_ / "file/a.done";
  EXPECT_THAT(run(tasks, 1), ElementsAre(TaskState::kFailed, TaskState::kDone));
  EXPECT_THAT(tasks[0].failure, HasSubstr("file/a.done"));
}

TEST_F(TaskRunner, TheCommandIsALineThatAShellReadsBack) {
  ChildProcess process;
  process.command = {"/bin/echo", "a=b", "{x: [1, 2]}", "it's", "", "$HOME"};
  process.environment = {{"RUNS", "a b"}};
  EXPECT_EQ(shell_line(process), "RUNS='a b' /bin/echo a=b '{x: [1, 2]}' 'it'\\''s' '' '$HOME'");
  std::vector<Task> tasks = {shell("a", "exit 3")};
  run(tasks, 1);
  std::ifstream log(folder_ / "a.log");
  std::string line;
  std::getline(log, line);
  EXPECT_EQ(line, shell_line(tasks[0].process));
}

}  // namespace
}  // namespace conclave
