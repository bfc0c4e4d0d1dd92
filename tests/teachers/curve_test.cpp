#include "teachers/curve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <functional>
#include <string>

#include "core/error.h"
#include "core/file.h"
#include "support/temporary_folder.h"

namespace conclave {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return {};
}

mode_t mode_of(const fs::path& path) {
  struct stat info {};
  EXPECT_EQ(::stat(path.c_str(), &info), 0);
  return info.st_mode & 0777;
}

TEST(Keys, ComeBackFromTheirFilesOfWhichOnlyTheOwnerReadsTheSecretOne) {
  const TemporaryFolder folder;
  const KeyPair pair = make_key_pair();
  write_key_pair(folder / "keys/trainer", pair);
  EXPECT_EQ(mode_of(folder / "keys/trainer.key"), 0600u);
  EXPECT_EQ(load_public_key(folder / "keys/trainer.pub"), pair.public_key);
  const KeyPair loaded = load_key_pair(folder / "keys/trainer.key");
  EXPECT_EQ(loaded.public_key, pair.public_key);
  EXPECT_EQ(loaded.secret.z85(), pair.secret.z85());
  EXPECT_THAT(read_file(folder / "keys/trainer.pub"), Not(HasSubstr(pair.secret.z85())));
  EXPECT_NE(make_key_pair().secret.z85(), pair.secret.z85());
}

TEST(Keys, AreNeverOverwritten) {
  const TemporaryFolder folder;
  const KeyPair first = make_key_pair();
  write_key_pair(folder / "a", first);
  EXPECT_THAT(error_of([&] { write_key_pair(folder / "a", make_key_pair()); }), HasSubstr("exists already"));
  fs::remove(folder / "a.pub");
  EXPECT_THAT(error_of([&] { write_key_pair(folder / "a", make_key_pair()); }), HasSubstr("a.key: exists already"));
  EXPECT_FALSE(fs::exists(folder / "a.pub"));
  EXPECT_EQ(load_key_pair(folder / "a.key").secret.z85(), first.secret.z85());
  folder.write("b.pub", "mine");
  EXPECT_THAT(error_of([&] { write_key_pair(folder / "b", make_key_pair()); }), HasSubstr("b.pub: exists already"));
  EXPECT_FALSE(fs::exists(folder / "b.key"));
}

TEST(Keys, ThatOthersMayReadAreRefusedWithTheRemedy) {
  const TemporaryFolder folder;
  write_key_pair(folder / "k", make_key_pair());
  for (const auto open : {fs::perms::group_read, fs::perms::others_read, fs::perms::group_write}) {
    fs::permissions(folder / "k.key", fs::perms::owner_read | open);
    EXPECT_THAT(error_of([&] { load_key_pair(folder / "k.key"); }),
                HasSubstr("chmod 600 " + (folder / "k.key").string()));
  }
  fs::permissions(folder / "k.key", fs::perms::owner_read);
  EXPECT_NO_THROW(load_key_pair(folder / "k.key"));
}

TEST(Keys, OfTheWrongKindAreNamedAndSecretsNeverShown) {
  const TemporaryFolder folder;
  const KeyPair pair = make_key_pair();
  write_key_pair(folder / "k", pair);
  const std::string swapped = error_of([&] { load_public_key(folder / "k.key"); });
  EXPECT_THAT(swapped, HasSubstr("this is a secret key"));
  EXPECT_THAT(swapped, Not(HasSubstr(pair.secret.z85())));
  EXPECT_THAT(error_of([&] { load_key_pair(folder / "k.pub"); }), HasSubstr("this is a public key"));
  for (const std::string& text :
       {std::string(), std::string("# nothing\n"), pair.secret.z85(), "secret " + pair.secret.z85().substr(1),
        "secret " + pair.secret.z85() + "x", "secret " + pair.secret.z85().substr(1) + "\x7f",
        "secret " + pair.secret.z85() + "\nsecret " + pair.secret.z85(), "secret " + pair.secret.z85() + " more",
        "private " + pair.secret.z85(), std::string("secret\0", 7) + pair.secret.z85()}) {
    folder.write("bad.key", text);
    fs::permissions(folder / "bad.key", fs::perms::owner_read | fs::perms::owner_write);
    const std::string error = error_of([&] { load_key_pair(folder / "bad.key"); });
    EXPECT_THAT(error, HasSubstr("not a key file")) << text;
    EXPECT_THAT(error, Not(HasSubstr(pair.secret.z85().substr(1, 20)))) << text;
  }
  EXPECT_THAT(error_of([&] { load_key_pair(folder / "absent.key"); }), HasSubstr("absent.key"));
  EXPECT_THAT(error_of([&] { load_key_pair(folder.path()); }), HasSubstr("folder"));
}

TEST(Addresses, ReachOtherHostsUnlessTheyAreLoopbackOrAFile) {
  for (const char* local : {"tcp://127.0.0.1:*", "tcp://127.0.0.1:5555", "tcp://127.9.9.9:1", "tcp://[::1]:5555",
                            "ipc:///tmp/socket", "inproc://name"}) {
    EXPECT_FALSE(reaches_other_hosts(local)) << local;
  }
  for (const char* open : {"tcp://*:5555", "tcp://0.0.0.0:*", "tcp://10.0.0.1:5555", "tcp://eth0:5555", "tcp://lo:1",
                           "tcp://[::]:5555", "tcp://127.trainer.example:5555", "tcp://localhost:5555",
                           "tcp://[::ffff:10.0.0.1]:1", "epgm://eth0:1", "", "tcp://"}) {
    EXPECT_TRUE(reaches_other_hosts(open)) << open;
  }
}

TEST(TrainerKeysCheck, WantsKeysOrAnExplicitWordForOtherHosts) {
  const TemporaryFolder folder;
  write_key_pair(folder / "trainer", make_key_pair());
  write_key_pair(folder / "worker", make_key_pair());
  const std::string secret = (folder / "trainer.key").string();
  EXPECT_NO_THROW(check_trainer_keys("tcp://127.0.0.1:*", {}));
  EXPECT_NO_THROW(check_trainer_keys("tcp://*:5555", {{}, {}, true}));
  EXPECT_NO_THROW(check_trainer_keys("tcp://*:5555", {secret, {(folder / "worker.pub").string()}, false}));
  EXPECT_NO_THROW(check_trainer_keys("tcp://*:5555", {secret, {folder.path().string()}, false}));
  EXPECT_THAT(error_of([] { check_trainer_keys("tcp://*:5555", {}); }),
              testing::AllOf(HasSubstr("tcp://*:5555"), HasSubstr("conclave keys"), HasSubstr("--insecure")));
  EXPECT_THAT(error_of([] {
                check_trainer_keys("tcp://127.0.0.1:1", {{}, {"a.pub"}, false});
              }),
              HasSubstr("service.keys.secret"));
  EXPECT_THAT(error_of([&] {
                check_trainer_keys("tcp://*:5555", {secret, {"absent.pub"}, false});
              }),
              HasSubstr("absent.pub"));
  EXPECT_THAT(error_of([&] {
                check_trainer_keys("tcp://*:5555", {secret, {secret}, false});
              }),
              HasSubstr("this is a secret key"));
}

}  // namespace
}  // namespace conclave
