#include "core/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "core/error.h"
#include "support/temporary_folder.h"

namespace conclave {
namespace {

using testing::HasSubstr;

std::vector<std::string> names_in(const TemporaryFolder& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) names.push_back(entry.path().filename());
  return names;
}

// Runs in a process of its own, so that its limits are its own. True when it returned true.
bool in_child(const std::function<bool()>& work) {
  const pid_t child = fork();
  if (child == 0) _exit(work() ? 0 : 1);
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(ReadFile, GivesEveryByte) {
  const TemporaryFolder folder;
  const std::string text("a\0\r\n\xff z", 7);
  EXPECT_EQ(read_file(folder.write("a", text)), text);
  EXPECT_EQ(read_file(folder.write("empty", "")), "");
  const std::string large(300000, 'x');
  EXPECT_EQ(read_file(folder.write("large", large)), large);
}

TEST(ReadFile, ReadsAFileWhoseSizeIsNotStated) {
  EXPECT_THAT(read_file("/proc/self/status"), HasSubstr("Pid:"));
}

TEST(ReadFile, NamesTheFileThatIsMissingOrAFolder) {
  const TemporaryFolder folder;
  for (const auto& path : {folder / "missing", folder.path()}) {
    try {
      read_file(path);
      FAIL() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.where(), path.string());
    }
  }
}

TEST(ReadFile, RefusesAFileLargerThanTheLimit) {
  const TemporaryFolder folder;
  const auto path = folder.write("a", "12345");
  EXPECT_EQ(read_file(path, 5), "12345");
  EXPECT_THROW(read_file(path, 4), Error);
  EXPECT_THROW(read_file("/proc/self/status", 4), Error);  // its size is not stated
}

TEST(WriteFile, ReplacesTheFileAndLeavesNothingBeside) {
  const TemporaryFolder folder;
  const auto path = folder.write("a", "a much longer old content");
  write_file_atomically(path, std::string("new\0", 4));
  EXPECT_EQ(read_file(path), std::string("new\0", 4));
  write_file_atomically(path, std::string());
  EXPECT_EQ(read_file(path), "");
  EXPECT_EQ(names_in(folder), std::vector<std::string>{"a"});
}

TEST(WriteFile, AReaderOfTheOldFileKeepsTheOldFile) {
  const TemporaryFolder folder;
  std::ifstream old(folder.write("a", "old"));
  write_file_atomically(folder / "a", std::string("new"));
  std::string text;
  old >> text;
  EXPECT_EQ(text, "old");
}

// A write that fails halfway, as on a full disk: a process may not make files larger than 10 bytes.
TEST(WriteFile, AFailureKeepsTheOldFileAndRemovesTheOneAside) {
  const TemporaryFolder folder;
  const auto path = folder.write("a", "old");
  EXPECT_TRUE(in_child([&] {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{10, 10};
    setrlimit(RLIMIT_FSIZE, &limit);
    try {
      write_file_atomically(path, std::string(100000, 'x'));
    } catch (const Error& error) {
      return error.where() == path.string();
    }
    return false;
  }));
  EXPECT_EQ(read_file(path), "old");
  EXPECT_EQ(names_in(folder), std::vector<std::string>{"a"});
}

TEST(WriteFile, AFolderInTheWayIsAnErrorAndRemovesTheOneAside) {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "a/b");
  EXPECT_THROW(write_file_atomically(folder / "a", std::string("x")), Error);
  EXPECT_EQ(names_in(folder), std::vector<std::string>{"a"});
  EXPECT_TRUE(std::filesystem::exists(folder / "a/b"));
}

TEST(WriteFile, NamesTheFileWhoseFolderIsMissing) {
  const TemporaryFolder folder;
  try {
    write_file_atomically(folder / "none/a", std::string("x"));
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.where(), (folder / "none/a").string());
    EXPECT_THAT(error.what(), HasSubstr("No such file"));
  }
}

}  // namespace
}  // namespace conclave
