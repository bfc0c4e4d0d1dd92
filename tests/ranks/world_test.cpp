#include "ranks/world.h"

#include <gtest/gtest.h>

#include <map>

#include "core/error.h"

namespace conclave {
namespace {

using Variables = std::map<std::string, std::string>;

World world_with(const Variables& variables) {
  return world_of([&](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional<std::string>(found->second);
  });
}

std::string error_with(const Variables& variables) {
  try {
    world_with(variables);
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::kUsage);
    return error.what();
  }
  return "no error";
}

Variables torchrun() {
  return {{"RANK", "5"},        {"WORLD_SIZE", "8"},     {"LOCAL_RANK", "1"}, {"LOCAL_WORLD_SIZE", "4"},
          {"MASTER_ADDR", "a"}, {"MASTER_PORT", "29500"}};
}

Variables slurm() {
  return {{"SLURM_PROCID", "3"},
          {"SLURM_NTASKS", "6"},
          {"SLURM_STEP_NUM_TASKS", "6"},
          {"SLURM_LOCALID", "1"},
          {"SLURM_STEP_TASKS_PER_NODE", "2(x3)"},
          {"SLURM_JOB_NODELIST", "gpu[07-09,12],big1"},
          {"SLURM_JOB_ID", "123"},
          {"SLURM_STEP_ID", "2"}};
}

Variables with(Variables variables, const std::string& name, const std::string& value) {
  variables[name] = value;
  return variables;
}

Variables without(Variables variables, const std::string& name) {
  variables.erase(name);
  return variables;
}

TEST(World, IsOneProcessWithoutVariables) {
  const World world = world_with({});
  EXPECT_EQ(world.rank, 0);
  EXPECT_EQ(world.size, 1);
  EXPECT_EQ(world_with({{"RANK", ""}}).size, 1) << "empty counts as not set";
}

TEST(World, ReadsTorchrunsVariables) {
  const World world = world_with(torchrun());
  EXPECT_EQ(world.rank, 5);
  EXPECT_EQ(world.size, 8);
  EXPECT_EQ(world.local_rank, 1);
  EXPECT_EQ(world.local_size, 4);
  EXPECT_EQ(world.host, "a");
  EXPECT_EQ(world.port, 29500);
  EXPECT_FALSE(world.served);
}

TEST(World, KnowsThatTorchrunsAgentKeepsTheStoreAndHowOftenItRestarted) {
  Variables variables = with(torchrun(), "TORCHELASTIC_USE_AGENT_STORE", "True");
  variables["TORCHELASTIC_RESTART_COUNT"] = "2";
  const World world = world_with(variables);
  EXPECT_TRUE(world.served);
  EXPECT_EQ(world.attempt, 2);
}

TEST(World, NamesTheVariableThatIsMissing) {
  for (const char* name : {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}) {
    const std::string error = error_with(without(torchrun(), name));
    EXPECT_NE(error.find(std::string(name) + ": is not set"), std::string::npos) << error;
  }
}

TEST(World, RefusesWhatIsNoNumberOrOutOfRange) {
  EXPECT_NE(error_with(with(torchrun(), "RANK", "five")).find("'five'"), std::string::npos);
  EXPECT_NE(error_with(with(torchrun(), "RANK", "-1")).find("RANK"), std::string::npos);
  EXPECT_NE(error_with(with(torchrun(), "MASTER_PORT", "70000")).find("MASTER_PORT"), std::string::npos);
  EXPECT_NE(error_with(with(torchrun(), "RANK", "8")).find("does not exist among 8"), std::string::npos);
}

TEST(World, ReadsSlurmsVariables) {
  const World world = world_with(slurm());
  EXPECT_EQ(world.rank, 3);
  EXPECT_EQ(world.size, 6);
  EXPECT_EQ(world.local_rank, 1);
  EXPECT_EQ(world.local_size, 2);
  EXPECT_EQ(world.host, "gpu07");
  EXPECT_GE(world.port, 20000);
  EXPECT_NE(world.port, world_with(with(slurm(), "SLURM_STEP_ID", "3")).port) << "steps of one job side by side";
  EXPECT_EQ(world_with(with(slurm(), "MASTER_PORT", "1234")).port, 1234);
  EXPECT_EQ(world_with(with(slurm(), "MASTER_ADDR", "other")).host, "other");
  EXPECT_EQ(world_with(with(slurm(), "SLURM_RESTART_COUNT", "1")).attempt, 1);
}

TEST(World, PrefersTorchrunInsideSlurm) {
  Variables both = slurm();
  for (const auto& [name, value] : torchrun()) both[name] = value;
  EXPECT_EQ(world_with(both).rank, 5);
}

TEST(World, IsOneProcessInABatchScriptThatRunsWithoutSrun) {
  EXPECT_EQ(world_with(without(slurm(), "SLURM_STEP_NUM_TASKS")).size, 1);
}

TEST(World, NamesWhatIsMissingOfSlurm) {
  for (const char* name : {"SLURM_PROCID", "SLURM_LOCALID", "SLURM_JOB_NODELIST", "SLURM_JOB_ID"}) {
    const std::string error = error_with(without(slurm(), name));
    EXPECT_NE(error.find(name), std::string::npos) << error;
  }
}

TEST(World, FindsTheFirstHostOfACompressedList) {
  EXPECT_EQ(first_host("node1"), "node1");
  EXPECT_EQ(first_host("node1,node2"), "node1");
  EXPECT_EQ(first_host("node[01-16]"), "node01");
  EXPECT_EQ(first_host("node[3,7-9],other"), "node3");
  EXPECT_EQ(first_host("rack[2-4]n[10-11]-ib"), "rack2n10-ib");
  EXPECT_EQ(first_host("[5-6]"), "5");
  for (const char* broken : {"", ",", "node[", "node[]", "node[1", "node]1"}) {
    EXPECT_THROW(first_host(broken), Error) << broken;
  }
}

}  // namespace
}  // namespace conclave
