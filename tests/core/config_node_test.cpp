#include "core/config_node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <functional>
#include <string>
#include <vector>

#include "support/temporary_folder.h"

namespace conclave {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using Kind = ConfigNode::Kind;

// The tree in one line, without places.
std::string flat(const ConfigNode& node) {
  std::string text;
  switch (node.kind) {
    case Kind::kNull:
      return "~";
    case Kind::kScalar:
      return node.scalar;
    case Kind::kList:
      for (const ConfigNode& item : node.items) text += (text.empty() ? "" : ", ") + flat(item);
      return "[" + text + "]";
    case Kind::kMap:
      for (const ConfigEntry& entry : node.entries)
        text += (text.empty() ? "" : ", ") + entry.key + ": " + flat(entry.value);
      return "{" + text + "}";
  }
  return {};
}

ConfigNode parse(const std::string& text) {
  ConfigErrors errors;
  ConfigNode node = parse_config(text, "run.yaml", errors);
  errors.check();
  return node;
}

ConfigNode load(const std::filesystem::path& path, const std::vector<std::string>& overrides = {}) {
  ConfigErrors errors;
  ConfigNode node = load_config(path, overrides, errors);
  errors.check();
  return node;
}

// The message of the Error that `work` throws; what() names the place first.
std::string error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::kUsage) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return {};
}

std::string load_error(const std::filesystem::path& path, const std::vector<std::string>& overrides = {}) {
  return error_of([&] { load(path, overrides); });
}

const ConfigNode& at(const ConfigNode& node, const std::string& key) {
  const ConfigEntry* entry = node.find(key);
  if (entry == nullptr) throw std::runtime_error("no key " + key);
  return entry->value;
}

TEST(ParseConfig, KeepsTextAsWrittenAndOrder) {
  EXPECT_EQ(flat(parse("b: 1e-3\na: [007, 'x y', {c: yes}]\nd: ~\ne:\nf: \"\"\ng: 'null'\n")),
            "{b: 1e-3, a: [007, x y, {c: yes}], d: ~, e: ~, f: , g: null}");
  EXPECT_EQ(parse("").kind, Kind::kNull);
  EXPECT_EQ(parse("# only a comment\n").kind, Kind::kNull);
}

TEST(ParseConfig, TellsAQuotedNullFromNothing) {
  const ConfigNode node = parse("a: null\nb: 'null'\nc: ''\n");
  EXPECT_EQ(at(node, "a").kind, Kind::kNull);
  EXPECT_EQ(at(node, "b").kind, Kind::kScalar);
  EXPECT_EQ(at(node, "c").kind, Kind::kScalar);
}

TEST(ParseConfig, MarksLineAndColumnOfKeysAndValues) {
  const ConfigNode node = parse("a: 1\nb:\n  c: [x,  y]\n");
  EXPECT_EQ(node.find("b")->place.text(), "run.yaml:2:1");
  EXPECT_EQ(at(node, "b").find("c")->place.text(), "run.yaml:3:3");
  EXPECT_EQ(at(node, "a").place.text(), "run.yaml:1:4");
  EXPECT_EQ(at(at(node, "b"), "c").items[1].place.text(), "run.yaml:3:11");
}

TEST(ParseConfig, ReportsEveryDuplicateKeyWithBothPlaces) {
  ConfigErrors errors;
  const ConfigNode node = parse_config("a: 1\nb: {c: 1, c: 2}\na: 3\n", "run.yaml", errors);
  EXPECT_THAT(error_of([&] { errors.check(); }),
              AllOf(HasSubstr("run.yaml:2:11: duplicate key 'c' (first at run.yaml:2:5)"),
                    HasSubstr("run.yaml:3:1: duplicate key 'a' (first at run.yaml:1:1)")));
  EXPECT_EQ(flat(node), "{a: 1, b: {c: 1}}");
}

TEST(ParseConfig, AllowsOneKeyInTwoMaps) {
  EXPECT_EQ(flat(parse("a: {c: 1}\nb: {c: 2}\n")), "{a: {c: 1}, b: {c: 2}}");
}

TEST(ParseConfig, RefusesAKeyThatIsNotAWord) {
  EXPECT_THAT(error_of([] { parse("a: 1\n[x, y]: 2\n"); }), HasSubstr("run.yaml:2:1: a key must be a word"));
}

TEST(ParseConfig, CopiesWhatAnAliasNames) {
  EXPECT_EQ(flat(parse("a: &x {c: [1, 2]}\nb: *x\n")), "{a: {c: [1, 2]}, b: {c: [1, 2]}}");
}

TEST(ParseConfig, NamesTheLineAndColumnThatIsNotYaml) {
  EXPECT_THAT(error_of([] { parse("a: 1\nb: [1, 2\n"); }),
              AllOf(HasSubstr("run.yaml:3:1"), HasSubstr("not valid YAML")));
  EXPECT_THAT(error_of([] { parse("a: 1\nb: c: d\n"); }),
              AllOf(HasSubstr("run.yaml:2:5"), HasSubstr("not valid YAML")));
  EXPECT_THAT(error_of([] { parse("a: *x\n"); }), HasSubstr("run.yaml:1:4"));
}

TEST(ParseConfig, RefusesMoreThan32Levels) {
  const auto nested = [](std::size_t levels) { return std::string(levels, '[') + std::string(levels, ']'); };
  EXPECT_EQ(flat(parse(nested(32))), nested(32));
  for (const std::size_t levels : {33, 1000, 400'000}) {
    EXPECT_THAT(error_of([&] { parse(nested(levels)); }),
                AllOf(HasSubstr("run.yaml:1:33"), HasSubstr("more than 32 levels")));
  }
  EXPECT_THAT(error_of([] { parse(std::string(1000, '[')); }), HasSubstr("more than 32 levels"));
}

TEST(ParseConfig, RefusesAliasesThatMultiply) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 20; ++i) {
    const std::string alias = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + alias;
    for (int k = 1; k < 10; ++k) text += ", " + alias;
    text += "]\n";
  }
  EXPECT_THAT(error_of([&] { parse(text); }), AllOf(HasSubstr("run.yaml:5:"), HasSubstr("more than 100,000 values")));
}

TEST(ParseConfig, RefusesTooManyValues) {
  std::string text = "[x";
  for (int i = 0; i < 100'000; ++i) text += ",x";
  EXPECT_THAT(error_of([&] { parse(text + "]"); }), HasSubstr("more than 100,000 values"));
}

TEST(LoadConfig, NamesAFileThatIsMissingOrTooLarge) {
  const TemporaryFolder folder;
  EXPECT_THAT(load_error(folder / "none.yaml"), HasSubstr((folder / "none.yaml").string()));
  const auto large = folder.write("large.yaml", "a: " + std::string(1'000'001, 'x'));
  EXPECT_THAT(load_error(large), HasSubstr(large.string()));
}

TEST(LoadConfig, TakesAnEmptyFileForAnEmptyMapAndRefusesAnyOtherValue) {
  const TemporaryFolder folder;
  EXPECT_EQ(flat(load(folder.write("empty.yaml", ""))), "{}");
  const auto list = folder.write("list.yaml", "- a\n");
  EXPECT_THAT(load_error(list), AllOf(HasSubstr(list.string()), HasSubstr("must be a map of keys")));
}

TEST(LoadConfig, MergesMapsAndReplacesLists) {
  const TemporaryFolder folder;
  folder.write("base.yaml", "a: {x: 1, y: {p: 1, q: 2}}\nlist: [1, 2, 3]\nmaps: [{a: 1}]\nonly: base\nm: {k: v}\n");
  const auto run = folder.write(
      "run.yaml", "_base_: base.yaml\na: {y: {q: 3}, z: 4}\nlist: [9]\nmaps: [{b: 2}]\nm: plain\nnew: 1\n");
  EXPECT_EQ(flat(load(run)),
            "{a: {x: 1, y: {p: 1, q: 3}, z: 4}, list: [9], maps: [{b: 2}], only: base, m: plain, new: 1}");
}

TEST(LoadConfig, KeepsThePlaceInTheFileThatSetTheValue) {
  const TemporaryFolder folder;
  const auto base = folder.write("base.yaml", "a: {x: 1,\n  y: 2}\n");
  const auto run = folder.write("run.yaml", "_base_: base.yaml\na:\n  x: 5\n");
  const ConfigNode node = load(run);
  EXPECT_EQ(at(at(node, "a"), "x").place.text(), run.string() + ":3:6");
  EXPECT_EQ(at(at(node, "a"), "y").place.text(), base.string() + ":2:6");
}

TEST(LoadConfig, LetsLaterBasesWinAndTheFileItselfWinOverAll) {
  const TemporaryFolder folder;
  folder.write("one.yaml", "a: 1\nb: 1\nc: 1\n");
  folder.write("two.yaml", "b: 2\nc: 2\n");
  // Where the key stands in the file makes no difference.
  const auto run = folder.write("run.yaml", "c: 3\n_base_: [one.yaml, two.yaml]\n");
  EXPECT_EQ(flat(load(run)), "{a: 1, b: 2, c: 3}");
}

TEST(LoadConfig, FindsBasesRelativeToTheFileThatNamesThem) {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "shared/deep");
  folder.write("shared/deep/root.yaml", "root: 1\n");
  folder.write("shared/base.yaml", "_base_: deep/root.yaml\nbase: 2\n");
  EXPECT_EQ(flat(load(folder.write("run.yaml", "_base_: shared/base.yaml\nrun: 3\n"))), "{root: 1, base: 2, run: 3}");
  const auto absolute = folder.write("absolute.yaml", "_base_: " + (folder / "shared/base.yaml").string() + "\n");
  EXPECT_EQ(flat(load(absolute)), "{root: 1, base: 2}");
}

TEST(LoadConfig, ReadsOneBaseTwiceWhereItIsNoCycle) {
  const TemporaryFolder folder;
  folder.write("root.yaml", "a: 1\n");
  folder.write("left.yaml", "_base_: root.yaml\n");
  folder.write("right.yaml", "_base_: root.yaml\n");
  EXPECT_EQ(flat(load(folder.write("run.yaml", "_base_: [left.yaml, right.yaml]\n"))), "{a: 1}");
}

TEST(LoadConfig, NamesThePlaceThatClosesACycle) {
  const TemporaryFolder folder;
  const auto a = folder.write("a.yaml", "_base_: b.yaml\n");
  const auto b = folder.write("b.yaml", "x: 1\n_base_: ./a.yaml\n");
  EXPECT_THAT(load_error(a), AllOf(HasSubstr(b.string() + ":2:9"), HasSubstr("leads back")));
  const auto self = folder.write("self.yaml", "_base_: self.yaml\n");
  EXPECT_THAT(load_error(self), HasSubstr(self.string() + ":1:9"));
}

TEST(LoadConfig, NamesThePlaceThatAsksForAMissingBase) {
  const TemporaryFolder folder;
  const auto run = folder.write("run.yaml", "a: 1\n_base_: [none.yaml]\n");
  EXPECT_THAT(load_error(run), AllOf(HasSubstr(run.string() + ":2:10"), HasSubstr("none.yaml")));
}

TEST(LoadConfig, RefusesABaseThatIsNoPath) {
  const TemporaryFolder folder;
  for (const std::string base : {"{a: 1}", "", "[]", "[[x.yaml]]", "''"}) {
    const auto run = folder.write("run.yaml", "a: 1\n_base_: " + base + "\n");
    EXPECT_THAT(load_error(run), HasSubstr("_base_ must be a path or a list of paths")) << base;
  }
}

TEST(LoadConfig, StopsWhereBasesMultiply) {
  const TemporaryFolder folder;
  folder.write("0.yaml", "a: 1\n");
  for (int i = 1; i < 30; ++i) {
    const std::string below = std::to_string(i - 1) + ".yaml";
    folder.write(std::to_string(i) + ".yaml", "_base_: [" + below + ", " + below + "]\n");
  }
  EXPECT_THAT(load_error(folder / "29.yaml"), HasSubstr("at most 100 files"));
}

TEST(Override, SetsAndMakesKeys) {
  const TemporaryFolder folder;
  const auto run = folder.write("run.yaml", "a: {b: 1, c: 2}\n");
  const ConfigNode node = load(run, {"a.b=5", "x.y.z=[1, 2]", "a={d: 3}", "n=", "t=k=v"});
  EXPECT_EQ(flat(node), "{a: {b: 5, c: 2, d: 3}, x: {y: {z: [1, 2]}}, n: ~, t: k=v}");
  EXPECT_EQ(at(at(node, "a"), "b").place.text(), "command line: a.b=5");
  EXPECT_EQ(at(at(at(node, "x"), "y"), "z").items[1].place.text(), "command line: x.y.z=[1, 2]");
}

TEST(Override, LetsTheLastOneWin) {
  const TemporaryFolder folder;
  EXPECT_EQ(flat(load(folder.write("run.yaml", "a: 1\n"), {"a=2", "a=3"})), "{a: 3}");
}

TEST(Override, ReachesIntoListsByPosition) {
  const TemporaryFolder folder;
  const auto run = folder.write("run.yaml", "list: [{a: 1}, {a: 2, b: 3}]\nplain: [1, 2]\n");
  EXPECT_EQ(flat(load(run, {"list.1.a=9", "plain.0=8"})), "{list: [{a: 1}, {a: 9, b: 3}], plain: [8, 2]}");
}

TEST(Override, ReportsEveryOneThatCannotBeApplied) {
  const TemporaryFolder folder;
  const auto run = folder.write("run.yaml", "list: [{a: 1}]\na: 1\n");
  const std::string text = load_error(run, {"a", "=1", "list.1.a=2", "list.x=2", "list.-1=2",
                                            "list.99999999999999999999=1", "a.b=1", "a.=1", "x..y=1"});
  EXPECT_THAT(text, HasSubstr("command line: a: an override reads key=value"));
  EXPECT_THAT(text, HasSubstr("command line: =1: an override reads key=value"));
  EXPECT_THAT(text, HasSubstr("command line: a.=1: an override reads key=value"));
  EXPECT_THAT(text, HasSubstr("command line: x..y=1: an override reads key=value"));
  EXPECT_THAT(text, HasSubstr("command line: list.1.a=2: '1' is not a position in a list of 1"));
  EXPECT_THAT(text, HasSubstr("command line: list.x=2: 'x' is not a position in a list of 1"));
  EXPECT_THAT(text, HasSubstr("command line: list.-1=2: '-1' is not a position"));
  EXPECT_THAT(text, HasSubstr("'99999999999999999999' is not a position"));
  EXPECT_THAT(text, HasSubstr("command line: a.b=1: 'b' lies below a plain value"));
}

TEST(Override, RefusesAValueThatIsNotYaml) {
  const TemporaryFolder folder;
  EXPECT_THAT(load_error(folder.write("run.yaml", "a: 1\n"), {"a=[1"}),
              AllOf(HasSubstr("command line: a=[1"), HasSubstr("not valid YAML")));
}

class Environment : public testing::Test {
 protected:
  void SetUp() override {
    setenv("CONCLAVE_TEST_SET", "value", 1);
    setenv("CONCLAVE_TEST_EMPTY", "", 1);
    unsetenv("CONCLAVE_TEST_UNSET");
  }
  void TearDown() override {
    unsetenv("CONCLAVE_TEST_SET");
    unsetenv("CONCLAVE_TEST_EMPTY");
  }
};

TEST_F(Environment, ReplacesVariablesInEveryValue) {
  const TemporaryFolder folder;
  const auto run = folder.write("run.yaml",
                                "a: ${CONCLAVE_TEST_SET}\n"
                                "b: [\"x/${CONCLAVE_TEST_SET}/${CONCLAVE_TEST_SET}.png\"]\n"
                                "c: {d: '${CONCLAVE_TEST_SET:-other}'}\n"
                                "e: ${CONCLAVE_TEST_UNSET:-other/path}\n"
                                "f: ${CONCLAVE_TEST_EMPTY:-other}\n"
                                "g: a${CONCLAVE_TEST_UNSET:-}b\n"
                                "h: $HOME ${unclosed\n");
  EXPECT_EQ(flat(load(run, {"i=${CONCLAVE_TEST_SET}"})),
            "{a: value, b: [x/value/value.png], c: {d: value}, e: other/path, f: other, g: ab, "
            "h: $HOME ${unclosed, i: value}");
}

TEST_F(Environment, NamesEveryUnsetVariableWithItsPlace) {
  const TemporaryFolder folder;
  const auto run = folder.write("run.yaml", "a: ${CONCLAVE_TEST_SET}\nb:\n  - ${CONCLAVE_TEST_UNSET}\n");
  EXPECT_THAT(load_error(run, {"c=${CONCLAVE_TEST_EMPTY}"}),
              AllOf(HasSubstr(run.string() + ":3:5: the environment variable CONCLAVE_TEST_UNSET is not set: "
                                             "write CONCLAVE_TEST_UNSET=VALUE before the command"),
                    HasSubstr("command line: c=${CONCLAVE_TEST_EMPTY}: the environment variable CONCLAVE_TEST_EMPTY"),
                    Not(HasSubstr("CONCLAVE_TEST_SET "))));
}

TEST_F(Environment, MayNameTheBase) {
  const TemporaryFolder folder;
  folder.write("value.yaml", "a: 1\n");
  EXPECT_EQ(flat(load(folder.write("run.yaml", "_base_: ${CONCLAVE_TEST_SET}.yaml\n"))), "{a: 1}");
}

TEST(ConfigErrors, ThrowsOnlyWhenThereIsAny) {
  ConfigErrors errors;
  EXPECT_TRUE(errors.empty());
  EXPECT_NO_THROW(errors.check());
  errors.add({"a.yaml", 3, 7}, "one");
  errors.add({"command line: b=1", 0, 0}, "two");
  EXPECT_FALSE(errors.empty());
  EXPECT_THAT(error_of([&] { errors.check(); }), HasSubstr("a.yaml:3:7: one\ncommand line: b=1: two"));
}

}  // namespace
}  // namespace conclave
