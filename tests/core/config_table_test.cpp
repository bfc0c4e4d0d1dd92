#include "core/config_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace conclave {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;

enum class Colour { kRed, kBlue };

struct Item {
  std::string name = "unnamed";
  int count = 1;
  bool operator==(const Item&) const = default;
};

struct Values {
  bool flag = false;
  int whole = 5;
  std::uint64_t large = 7;
  double real = 0.5;
  std::string text = "default";
  std::vector<std::string> words = {"a"};
  std::vector<double> numbers = {0.25};
  std::vector<std::pair<std::string, std::string>> map;
  std::string word = "one";
  Colour colour = Colour::kRed;
  int ints[2] = {1, 2};
  double doubles[2] = {1, 2};
  float floats[3] = {1, 2, 3};
  int inner = 3;
  std::vector<Item> items;
  bool operator==(const Values&) const = default;
};

void bind_item(ConfigTable& table, Item& item) {
  table.value("name", item.name, "of the item");
  table.value("count", item.count, "how many", 0, 9);
}

ConfigTable table_of(Values& v) {
  ConfigTable table;
  table.value("flag", v.flag, "a switch");
  table.value("whole", v.whole, "a count", 1, 10);
  table.value("large", v.large, "a seed");
  table.value("real", v.real, "a share", 0, 1);
  table.value("text", v.text, "a text");
  table.value("words", v.words, "some words");
  table.value("numbers", v.numbers, "some numbers", 0, 1);
  table.value("map", v.map, "from: to");
  table.choice("word", v.word, {"one", "two"}, "a word");
  table.choice<Colour>("colour", v.colour, {{"red", Colour::kRed}, {"blue", Colour::kBlue}}, "a colour");
  table.tuple("ints", std::vector<int*>{&v.ints[0], &v.ints[1]}, "a size", 0, 100);
  table.tuple("doubles", std::vector<double*>{&v.doubles[0], &v.doubles[1]}, "a range", 0, 100);
  table.tuple("floats", std::vector<float*>{&v.floats[0], &v.floats[1], &v.floats[2]}, "a colour", 0, 255);
  table.section("section", "further keys").value("inner", v.inner, "inside");
  table.list<Item>("items", v.items, "the items", bind_item);
  return table;
}

// What is wrong with the text, or nothing.
std::string read(const std::string& text, Values& values) {
  ConfigErrors errors;
  table_of(values).read(parse_config(text, "run.yaml", errors), errors);
  try {
    errors.check();
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

std::string print(Values values) {
  return table_of(values).print(nullptr, false);
}

TEST(ConfigTable, ReadsEveryType) {
  Values v;
  EXPECT_EQ(read("flag: true\nwhole: +8\nlarge: 18446744073709551615\nreal: 1e-3\ntext: 'a b'\nwords: [x, 7, '']\n"
                 "numbers: [0, 1]\nmap: {a: b, c: ~}\nword: two\ncolour: blue\nints: [3, 4]\ndoubles: [.5, 6]\n"
                 "floats: [0.1, 2, 255]\nsection: {inner: 9}\nitems: [{name: n}, {count: 2}]\n",
                 v),
            "");
  EXPECT_TRUE(v.flag);
  EXPECT_EQ(v.whole, 8);
  EXPECT_EQ(v.large, UINT64_MAX);
  EXPECT_EQ(v.real, 1e-3);
  EXPECT_EQ(v.text, "a b");
  EXPECT_THAT(v.words, ElementsAre("x", "7", ""));
  EXPECT_THAT(v.numbers, ElementsAre(0, 1));
  EXPECT_THAT(v.map, ElementsAre(Pair("a", "b"), Pair("c", "")));
  EXPECT_EQ(v.word, "two");
  EXPECT_EQ(v.colour, Colour::kBlue);
  EXPECT_THAT(v.ints, ElementsAre(3, 4));
  EXPECT_THAT(v.doubles, ElementsAre(0.5, 6));
  EXPECT_THAT(v.floats, ElementsAre(0.1f, 2.0f, 255.0f));
  EXPECT_EQ(v.inner, 9);
  EXPECT_THAT(v.items, ElementsAre(Item{"n", 1}, Item{"unnamed", 2}));
}

TEST(ConfigTable, ReadsANumberOrTheWordForNone) {
  std::optional<double> threshold;
  ConfigTable table;
  table.value("threshold", threshold, "best", "a number, or found", 0, 1);
  const auto read_into = [&](const std::string& text) {
    ConfigErrors errors;
    table.read(parse_config(text, "run.yaml", errors), errors);
    try {
      errors.check();
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(read_into("threshold: 0.25"), "");
  EXPECT_EQ(threshold, 0.25);
  EXPECT_EQ(table.print(nullptr, false), "threshold: 0.25\n");
  EXPECT_THAT(read_into("threshold: 2"), HasSubstr("(or best)"));
  EXPECT_EQ(threshold, 0.25);
  EXPECT_THAT(read_into("threshold: worst"), HasSubstr("(or best)"));
  EXPECT_EQ(read_into("threshold: best"), "");
  EXPECT_EQ(threshold, std::nullopt);
  EXPECT_EQ(table.print(nullptr, false), "threshold: best\n");
}

TEST(ConfigTable, KeepsDefaultsOfWhatIsNotWritten) {
  Values v;
  EXPECT_EQ(read("whole: 6\nsection: ~\n", v), "");
  Values expected;
  expected.whole = 6;
  EXPECT_EQ(v, expected);
}

TEST(ConfigTable, ReadsNothingAsEmptyText) {
  Values v;
  EXPECT_EQ(read("text: ~\n", v), "");
  EXPECT_EQ(v.text, "");
}

TEST(ConfigTable, SuggestsTheNearestKeyThatIsKnownThere) {
  Values v;
  const std::string text = read("wohle: 1\nsection: {iner: 1}\nitems:\n  - {nmae: x}\n", v);
  EXPECT_THAT(text, HasSubstr("run.yaml:1:1: unknown key 'wohle'; did you mean 'whole'?"));
  EXPECT_THAT(text, HasSubstr("run.yaml:2:11: unknown key 'section.iner'; did you mean 'inner'?"));
  EXPECT_THAT(text, HasSubstr("run.yaml:4:6: unknown key 'items.0.nmae'; did you mean 'name'?"));
}

TEST(ConfigTable, ListsTheKeysWhereNoneIsNear) {
  Values v;
  EXPECT_THAT(read("items: [{zzzzzzzz: 1}]\n", v), HasSubstr("'items.0.zzzzzzzz'; known here: name, count"));
}

TEST(ConfigTable, RefusesWrongTypesAndKeepsTheDefaults) {
  const std::pair<const char*, const char*> wrong[] = {
      {"flag: yes", "run.yaml:1:7: flag must be true or false, not 'yes'"},
      {"flag: [true]", "flag must be true or false, not a list"},
      {"whole: 1.5", "run.yaml:1:8: whole must be a whole number, not '1.5'"},
      {"whole: five", "whole must be a whole number, not 'five'"},
      {"whole: ''", "whole must be a whole number, not ''"},
      {"whole: ~", "whole must be a whole number, not nothing"},
      {"whole: 0x5", "whole must be a whole number, not '0x5'"},
      {"large: -1", "large must be a whole number, not '-1'"},
      {"real: 0.5x", "real must be a number, not '0.5x'"},
      {"real: {a: 1}", "real must be a number, not a map"},
      {"text: [a]", "text must be text, not a list"},
      {"words: a", "words must be a list, not 'a'"},
      {"words: [a, [b]]", "words entry 2 must be text, not a list"},
      {"numbers: 1", "numbers must be a list, not '1'"},
      {"numbers: [0.1, x]", "numbers entry 2 must be a number, not 'x'"},
      {"map: [a]", "map must be a map, not a list"},
      {"map: {a: [b]}", "map 'a' must be text, not a list"},
      {"word: tow", "word is 'tow', but must be one of one, two; did you mean 'two'?"},
      {"colour: [red]", "colour is a list, but must be one of red, blue"},
      {"ints: [3]", "ints must be a list of 2 numbers, not a list"},
      {"ints: 3", "ints must be a list of 2 numbers, not '3'"},
      {"ints: [3, 4.5]", "ints entry 2 must be a whole number, not '4.5'"},
      {"doubles: [3, x]", "doubles entry 2 must be a number, not 'x'"},
      {"floats: [9, 9, x]", "floats entry 3 must be a number, not 'x'"},
      {"section: 3", "section must be a map of keys, not '3'"},
      {"items: {name: a}", "items must be a list, not a map"},
  };
  for (const auto& [text, message] : wrong) {
    Values v;
    EXPECT_THAT(read(text, v), HasSubstr(message));
    EXPECT_EQ(v, Values()) << text;
  }
}

TEST(ConfigTable, RefusesValuesOutOfRangeAndKeepsTheDefaults) {
  const std::pair<const char*, const char*> wrong[] = {
      {"whole: 0", "whole is 0, but must be 1 to 10"},
      {"whole: 11", "whole is 11, but must be 1 to 10"},
      {"whole: 99999999999999999999", "whole is 99999999999999999999, but must be 1 to 10"},
      {"large: 18446744073709551616", "large is 18446744073709551616, but must be at most 18446744073709551615"},
      {"section: {inner: -1}", "section.inner is -1, but must be at least 0"},
      {"real: 1.01", "real is 1.01, but must be 0 to 1"},
      {"real: nan", "real is nan, but must be 0 to 1"},
      {"real: inf", "real is inf, but must be 0 to 1"},
      {"real: 1e999", "real is 1e999, but must be 0 to 1"},
      {"numbers: [0.5, 2]", "numbers entry 2 is 2, but must be 0 to 1"},
      {"ints: [5, 101]", "ints entry 2 is 101, but must be 0 to 100"},
      {"doubles: [5, -1]", "doubles entry 2 is -1, but must be 0 to 100"},
      {"floats: [5, 256, 5]", "floats entry 2 is 256, but must be 0 to 255"},
  };
  for (const auto& [text, message] : wrong) {
    Values v;
    EXPECT_THAT(read(text, v), HasSubstr(message));
    EXPECT_EQ(v, Values()) << text;
  }
}

TEST(ConfigTable, ReportsEverythingThatIsWrongAtOnce) {
  Values v;
  const std::string text = read("whole: 0\nreal: x\nunheard: 1\nitems: [{count: 10}, 3]\nflag: true\n", v);
  EXPECT_THAT(text, AllOf(HasSubstr("run.yaml:1:8: whole is 0"), HasSubstr("run.yaml:2:7: real must"),
                          HasSubstr("run.yaml:3:1: unknown key 'unheard'"),
                          HasSubstr("run.yaml:4:17: items.0.count is 10, but must be 0 to 9"),
                          HasSubstr("run.yaml:4:22: items.1 must be a map of keys, not '3'")));
  EXPECT_TRUE(v.flag);
}

TEST(ConfigTable, PrintsWhatReadsBackToEqualValues) {
  Values v;
  v.flag = true;
  v.large = UINT64_MAX;
  v.real = 0.1 + 0.2 * 1e-9;
  v.text = "a: \"b\" # \\ {c}";
  v.words = {"", "null", "~", "true", "7", "- x", "Grün", "a, b"};
  v.numbers = {1.0 / 3, 1e-300};
  v.map = {{"from here", "to: there"}, {"null", ""}};
  v.word = "two";
  v.colour = Colour::kBlue;
  v.ints[1] = 99;
  v.doubles[0] = 2.0 / 3;
  v.floats[0] = 0.1f;
  v.floats[1] = 123.675f;
  v.inner = 8;
  v.items = {{"first", 2}, {"", 0}};
  Values back;
  EXPECT_EQ(read(print(v), back), "");
  EXPECT_EQ(back, v);
}

TEST(ConfigTable, PrintsEmptyListsAndDefaultsThatReadBack) {
  Values v;
  v.words.clear();
  v.numbers.clear();
  Values back;
  back.items.resize(3);
  EXPECT_EQ(read(print(v), back), "");
  EXPECT_EQ(back, v);
}

TEST(ConfigTable, PrintsThePlaceThatSetEachValue) {
  ConfigErrors errors;
  const ConfigNode node = parse_config("whole: 6\nsection:\n  inner: 4\nitems:\n  - {count: 2}\n", "run.yaml", errors);
  Values v;
  ConfigTable table = table_of(v);
  table.read(node, errors);
  ASSERT_TRUE(errors.empty());
  const std::string text = table.print(&node, true);
  EXPECT_THAT(text, testing::ContainsRegex("\nwhole: 6 +# run.yaml:1:8\n"));
  EXPECT_THAT(text, testing::ContainsRegex("\n  inner: 4 +# run.yaml:3:10\n"));
  EXPECT_THAT(text, testing::ContainsRegex("\n  - name: unnamed +# default\n    count: 2 +# run.yaml:5:13\n"));
  EXPECT_THAT(text, testing::ContainsRegex("\nreal: 0.5 +# default\n"));
  EXPECT_THAT(table.print(&node, false), Not(HasSubstr("#")));
  Values back;
  EXPECT_EQ(read(text, back), "");
  EXPECT_EQ(back, v);
}

TEST(ConfigTable, WritesOneReferenceRowPerKey) {
  Values v;
  v.text.clear();
  const std::string text = table_of(v).reference();
  EXPECT_THAT(text, HasSubstr("| `flag` | true or false | `false` | a switch |\n"));
  EXPECT_THAT(text, HasSubstr("| `text` | text |  | a text |\n"));
  EXPECT_THAT(text, HasSubstr("| `colour` | red, blue | `red` | a colour |\n"));
  EXPECT_THAT(text, HasSubstr("| `ints` | 2 whole numbers | `[1, 2]` | a size |\n"));
  EXPECT_THAT(text, HasSubstr("| **`section`** | map | | further keys |\n| `section.inner` | whole number | `3` |"));
  EXPECT_THAT(text,
              HasSubstr("| **`items`** | list of maps | `[]` | the items |\n| `items[].name` | text | `unnamed`"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 18);
}

TEST(ConfigTable, LeavesOutAKeyOnlyWhileItIsUnprinted) {
  Item item;
  bool hidden = true;
  ConfigTable table;
  bind_item(table, item);
  table.unprinted("name", [&hidden] { return hidden; });
  EXPECT_EQ(table.print(nullptr, false), "count: 1\n");
  hidden = false;
  EXPECT_EQ(table.print(nullptr, false), "name: unnamed\ncount: 1\n");
}

TEST(ConfigTable, TellsWhetherAKeyWasWrittenOnceAllAreRead) {
  for (const bool written : {false, true}) {
    Item item;
    std::vector<std::pair<bool, int>> calls;
    ConfigTable table;
    bind_item(table, item);
    table.seen("name", [&](bool present) { calls.emplace_back(present, item.count); });
    ConfigErrors errors;
    table.read(parse_config(written ? "name: a\ncount: 7\n" : "count: 7\n", "run.yaml", errors), errors);
    EXPECT_THAT(calls, ElementsAre(Pair(written, 7)));
  }
}

TEST(ConfigTable, ReplacesTheElementsOfAListThatIsReadAgain) {
  Values v;
  v.items = {{"old", 3}, {"old", 4}};
  EXPECT_EQ(read("items: [{name: new}]\n", v), "");
  EXPECT_THAT(v.items, ElementsAre(Item{"new", 1}));
  EXPECT_EQ(read("items: []\n", v), "");
  EXPECT_THAT(v.items, IsEmpty());
}

TEST(YamlQuote, ReadsBackToTheSameText) {
  std::vector<std::string> texts = {"",     "plain", "null", "Null", "NULL", "~",        "true",      "-", "-a",  "1e5",
                                    "a: b", "a #b",  "a'b",  "a\"b", "a\\n", " padded ", "tcp://*:0", "é", "\r\n"};
  for (int c = 0; c < 128; ++c) texts.push_back(std::string("x") + static_cast<char>(c) + "y");
  for (const std::string& text : texts) {
    ConfigErrors errors;
    const ConfigNode node = parse_config("[" + yaml_quote(text) + "]\n", "run.yaml", errors);
    ASSERT_EQ(node.items.size(), 1u) << text;
    EXPECT_EQ(node.items[0].kind, ConfigNode::Kind::kScalar) << text;
    EXPECT_EQ(node.items[0].scalar, text);
  }
}

TEST(YamlQuote, LeavesPlainPathsAlone) {
  EXPECT_EQ(yaml_quote("runs/a_b-1.pt"), "runs/a_b-1.pt");
}

TEST(Shortest, ReadsBackToTheSameNumber) {
  EXPECT_EQ(shortest(0.1), "0.1");
  for (const double value : {1.0 / 3, 5e-324, 1.7976931348623157e308, -0.7, 123456789.125})
    EXPECT_EQ(std::strtod(shortest(value).c_str(), nullptr), value);
}

}  // namespace
}  // namespace conclave
