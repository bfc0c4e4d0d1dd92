#include "core/scratch_folder.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>
#include <optional>

#include "core/error.h"

namespace conclave {
namespace {

namespace fs = std::filesystem;

TEST(ScratchFolder, IsItsOwnersAloneAndGoesWithEverythingInIt) {
  fs::path path;
  {
    const ScratchFolder one("test"), other("test");
    EXPECT_NE(one.path(), other.path());
    EXPECT_TRUE(one.path().is_absolute());
    path = one.path();
    EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_all);
    fs::create_directories(path / "inner");
    std::ofstream(path / "inner" / "file") << "text";
    EXPECT_TRUE(fs::exists(path / "inner" / "file"));
  }
  EXPECT_FALSE(fs::exists(path));
}

TEST(ScratchFolder, AFolderThatCantBeMadeIsAnErrorThatNamesIt) {
  const char* before = getenv("TMPDIR");
  const std::optional<std::string> saved = before != nullptr ? std::optional<std::string>(before) : std::nullopt;
  setenv("TMPDIR", "/proc/self", 1);  // a folder that nothing can be made in
  std::string said;
  try {
    const ScratchFolder folder("test");
  } catch (const std::exception& error) {
    said = error.what();
  }
  saved ? setenv("TMPDIR", saved->c_str(), 1) : unsetenv("TMPDIR");
  EXPECT_NE(said.find("/conclave-test-"), std::string::npos) << said;
}

}  // namespace
}  // namespace conclave
