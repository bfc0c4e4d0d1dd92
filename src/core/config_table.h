#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/config_node.h"

namespace conclave {

// Binds keys to the members of a struct. The same table reads a configuration into the struct, prints the struct as
// YAML (with the place that set each value) and writes the reference of all keys; defaults are what the members hold
// when the table is made. The bound members must outlive the table.
class ConfigTable {
 public:
  ConfigTable() = default;
  ConfigTable(ConfigTable&&) = default;
  ConfigTable& operator=(ConfigTable&&) = default;

  void value(const std::string& key, bool& member, const std::string& doc);
  void value(const std::string& key, int& member, const std::string& doc, int least = 0, int most = 1 << 30);
  void value(const std::string& key, std::uint64_t& member, const std::string& doc, std::uint64_t most = UINT64_MAX);
  void value(const std::string& key, double& member, const std::string& doc, double least = 0, double most = 1e300);
  // A number, or the word that stands for none.
  void value(const std::string& key, std::optional<double>& member, const std::string& none, const std::string& doc,
             double least, double most);
  void value(const std::string& key, std::string& member, const std::string& doc);
  void value(const std::string& key, std::vector<std::string>& member, const std::string& doc);
  void value(const std::string& key, std::vector<double>& member, const std::string& doc, double least, double most);
  // {a: b, …}
  void value(const std::string& key, std::vector<std::pair<std::string, std::string>>& member, const std::string& doc);

  // A string out of a fixed set.
  void choice(const std::string& key, std::string& member, const std::vector<std::string>& names,
              const std::string& doc);
  // An enum by the names of its values.
  template <class E>
  void choice(const std::string& key, E& member, const std::vector<std::pair<std::string, E>>& names,
              const std::string& doc) {
    std::vector<std::string> words;
    for (const auto& [word, unused] : names) words.push_back(word);
    add_choice(
        key, words, doc,
        [&member, names](const std::string& word) {
          for (const auto& [name, e] : names) {
            if (name == word) member = e;
          }
        },
        [&member, names] {
          for (const auto& [name, e] : names) {
            if (e == member) return name;
          }
          return std::string("?");
        });
  }

  // [x, y, …] with one number per member.
  void tuple(const std::string& key, const std::vector<int*>& members, const std::string& doc, int least, int most);
  void tuple(const std::string& key, const std::vector<double*>& members, const std::string& doc, double least,
             double most);
  void tuple(const std::string& key, const std::vector<float*>& members, const std::string& doc, double least,
             double most);

  // A map of further keys; fill the table that is returned (owned by this one).
  ConfigTable& section(const std::string& key, const std::string& doc);

  // A list of maps; `describe` binds one element.
  template <class S>
  void list(const std::string& key, std::vector<S>& member, const std::string& doc,
            std::function<void(ConfigTable&, S&)> describe) {
    ListHooks hooks;
    auto example = std::make_shared<S>();
    hooks.size = [&member] { return member.size(); };
    hooks.resize = [&member](std::size_t n) { member.assign(n, S()); };
    hooks.table = [&member, describe, example](std::size_t i) {
      ConfigTable table;
      describe(table, i < member.size() ? member[i] : *example);
      return table;
    };
    add_list(key, doc, std::move(hooks));
  }

  // Called with the key's place after the map was read; for checks across fields. `present`: the key was written.
  void seen(const std::string& key, std::function<void(bool present)> hook);

  // The key is not printed while this is true: a value that can only be said by saying nothing.
  void unprinted(const std::string& key, std::function<bool()> when);

  // Reads the map into the members. Unknown keys (with the nearest known one), wrong types and values out of range go
  // to `errors`; the members concerned keep their defaults.
  void read(const ConfigNode& node, ConfigErrors& errors, const std::string& prefix = {});

  // YAML of the members as they are now. With `source`, each line ends with the place that set it, or "default".
  std::string print(const ConfigNode* source, bool with_places, int indent = 0) const;

  // Rows "| `a.b` | type | default | meaning |" of a Markdown table.
  std::string reference(const std::string& prefix = {}) const;

 private:
  struct ListHooks {
    std::function<std::size_t()> size;
    std::function<void(std::size_t)> resize;
    std::function<ConfigTable(std::size_t)> table;
  };
  struct Field {
    std::string key, type, doc;
    std::function<std::optional<std::string>(const ConfigNode&)> read;  // what is wrong, or nothing
    std::function<std::string()> print;                                 // as YAML
    std::unique_ptr<ConfigTable> section;
    std::optional<ListHooks> list;
    std::function<void(bool)> seen;
    std::function<bool()> unprinted;
  };
  Field& add(const std::string& key, const std::string& type, const std::string& doc);
  void add_choice(const std::string& key, const std::vector<std::string>& names, const std::string& doc,
                  std::function<void(const std::string&)> set, std::function<std::string()> get);
  void add_list(const std::string& key, const std::string& doc, ListHooks hooks);
  void read_field(Field& field, const ConfigEntry& entry, ConfigErrors& errors, const std::string& path);

  std::vector<Field> fields_;
};

// Text as a YAML scalar that reads back as the same text.
std::string yaml_quote(const std::string& text);

// The shortest decimal that reads back as the same number.
std::string shortest(double value);

}  // namespace conclave
