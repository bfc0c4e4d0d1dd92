#include "export/outside_program.h"

#include <gtest/gtest.h>

#include "core/file.h"
#include "small_network.h"
#include "support/temporary_folder.h"

namespace conclave {
namespace {

TEST(OutsideProgram, ARelativePathIsSeenFromHere) {
  const TemporaryFolder folder;
  const auto script = folder / "say.sh";
  write_file_atomically(script, "#!/bin/sh\necho said\n");
  std::filesystem::permissions(script, std::filesystem::perms::owner_exec, std::filesystem::perm_options::add);
  std::filesystem::create_directory(folder / "inner");
  const ProgramEnd end = run_program({std::filesystem::relative(script).string()}, folder / "inner");
  EXPECT_TRUE(end.found);
  EXPECT_EQ(end.said, "said\n");
  EXPECT_FALSE(run_program({"nowhere/say.sh"}, folder.path()).found);
}

}  // namespace
}  // namespace conclave
