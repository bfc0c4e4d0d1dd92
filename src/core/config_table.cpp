#include "core/config_table.h"

#include <charconv>
#include <cmath>
#include <type_traits>

#include "core/join.h"
#include "core/nearest.h"

namespace conclave {
namespace {

using Wrong = std::optional<std::string>;

std::string shown(const ConfigNode& node) {
  switch (node.kind) {
    case ConfigNode::Kind::kNull:
      return "nothing";
    case ConfigNode::Kind::kScalar:
      return "'" + node.scalar + "'";
    case ConfigNode::Kind::kList:
      return "a list";
    case ConfigNode::Kind::kMap:
      return "a map";
  }
  return {};
}

template <class T>
Wrong read_number(const ConfigNode& node, T& member, T least, T most) {
  const bool integer = std::is_integral_v<T>;
  const std::string wanted = integer ? "a whole number" : "a number";
  if (node.kind != ConfigNode::Kind::kScalar) return "must be " + wanted + ", not " + shown(node);
  const std::string& text = node.scalar;
  const char* begin = text.c_str() + (text.size() > 1 && text[0] == '+' && text[1] != '-' ? 1 : 0);
  const char* end = text.c_str() + text.size();
  T value{};
  const auto [stop, code] = std::from_chars(begin, end, value);
  if (stop != end || (code != std::errc() && code != std::errc::result_out_of_range)) {
    return "must be " + wanted + ", not " + shown(node);
  }
  bool inside = code == std::errc() && value >= least && value <= most;
  if constexpr (!std::is_integral_v<T>) inside = inside && std::isfinite(value);
  if (!inside) {
    const auto bound = [](T v) {
      if constexpr (std::is_integral_v<T>)
        return std::to_string(v);
      else
        return shortest(v);
    };
    if (most < static_cast<T>(1u << 30)) return "is " + text + ", but must be " + bound(least) + " to " + bound(most);
    const bool above = text[0] != '-' && (code != std::errc() || value > most);
    return "is " + text + ", but must be at " + (above ? "most " + bound(most) : "least " + bound(least));
  }
  member = value;
  return std::nullopt;
}

template <class T>
Wrong read_tuple(const ConfigNode& node, const std::vector<T*>& members, double least, double most) {
  if (node.kind != ConfigNode::Kind::kList || node.items.size() != members.size()) {
    return "must be a list of " + std::to_string(members.size()) + " numbers, not " + shown(node);
  }
  using Number = std::conditional_t<std::is_integral_v<T>, T, double>;
  std::vector<Number> numbers(members.size());
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (const Wrong wrong =
            read_number<Number>(node.items[i], numbers[i], static_cast<Number>(least), static_cast<Number>(most)))
      return "entry " + std::to_string(i + 1) + " " + *wrong;
  }
  for (std::size_t i = 0; i < members.size(); ++i) *members[i] = static_cast<T>(numbers[i]);
  return std::nullopt;
}

Wrong read_bool(const ConfigNode& node, bool& member) {
  if (node.kind == ConfigNode::Kind::kScalar && (node.scalar == "true" || node.scalar == "false")) {
    member = node.scalar == "true";
    return std::nullopt;
  }
  return "must be true or false, not " + shown(node);
}

Wrong read_text(const ConfigNode& node, std::string& member) {
  if (node.kind != ConfigNode::Kind::kScalar && node.kind != ConfigNode::Kind::kNull)
    return "must be text, not " + shown(node);
  member = node.scalar;
  return std::nullopt;
}

template <class T>
std::string print_list(const std::vector<T>& values, const std::function<std::string(const T&)>& one) {
  std::string text;
  for (const T& value : values) text += (text.empty() ? "" : ", ") + one(value);
  return "[" + text + "]";
}

template <class T>
std::string print_tuple(const std::vector<T*>& members) {
  std::vector<std::string> words;
  for (const T* member : members) {
    if constexpr (std::is_integral_v<T>) {
      words.push_back(std::to_string(*member));
    } else {
      char buffer[32];
      const auto [end, code] = std::to_chars(buffer, buffer + sizeof buffer, *member);
      words.emplace_back(buffer, end);
    }
  }
  return "[" + join(words) + "]";
}

}  // namespace

std::string shortest(double value) {
  char buffer[32];
  const auto [end, code] = std::to_chars(buffer, buffer + sizeof buffer, value);
  return std::string(buffer, end);
}

std::string yaml_quote(const std::string& text) {
  const std::string plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-";
  const bool null = text == "null" || text == "Null" || text == "NULL";
  const bool safe = !text.empty() && text[0] != '-' && text.find_first_not_of(plain) == std::string::npos && !null;
  if (safe) return text;
  const char* hex = "0123456789abcdef";
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += {'\\', c};
    } else if (byte < 0x20 || byte == 0x7f) {
      quoted += {'\\', 'x', hex[byte >> 4], hex[byte & 15]};
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

ConfigTable::Field& ConfigTable::add(const std::string& key, const std::string& type, const std::string& doc) {
  Field field;
  field.key = key;
  field.type = type;
  field.doc = doc;
  fields_.push_back(std::move(field));
  return fields_.back();
}

void ConfigTable::value(const std::string& key, bool& member, const std::string& doc) {
  Field& field = add(key, "true or false", doc);
  field.read = [&member](const ConfigNode& node) { return read_bool(node, member); };
  field.print = [&member] { return std::string(member ? "true" : "false"); };
}

void ConfigTable::value(const std::string& key, int& member, const std::string& doc, int least, int most) {
  Field& field = add(key, "whole number", doc);
  field.read = [&member, least, most](const ConfigNode& node) { return read_number<int>(node, member, least, most); };
  field.print = [&member] { return std::to_string(member); };
}

void ConfigTable::value(const std::string& key, std::uint64_t& member, const std::string& doc, std::uint64_t most) {
  Field& field = add(key, "whole number", doc);
  field.read = [&member, most](const ConfigNode& node) { return read_number<std::uint64_t>(node, member, 0, most); };
  field.print = [&member] { return std::to_string(member); };
}

void ConfigTable::value(const std::string& key, double& member, const std::string& doc, double least, double most) {
  Field& field = add(key, "number", doc);
  field.read = [&member, least, most](const ConfigNode& node) {
    return read_number<double>(node, member, least, most);
  };
  field.print = [&member] { return shortest(member); };
}

void ConfigTable::value(const std::string& key, std::optional<double>& member, const std::string& none,
                        const std::string& doc, double least, double most) {
  Field& field = add(key, none + " or number", doc);
  field.read = [&member, none, least, most](const ConfigNode& node) -> Wrong {
    if (node.kind == ConfigNode::Kind::kScalar && node.scalar == none) {
      member.reset();
      return std::nullopt;
    }
    double number = 0;
    if (Wrong wrong = read_number<double>(node, number, least, most)) return *wrong + " (or " + none + ")";
    member = number;
    return std::nullopt;
  };
  field.print = [&member, none] { return member ? shortest(*member) : none; };
}

void ConfigTable::value(const std::string& key, std::string& member, const std::string& doc) {
  Field& field = add(key, "text", doc);
  field.read = [&member](const ConfigNode& node) { return read_text(node, member); };
  field.print = [&member] { return yaml_quote(member); };
}

void ConfigTable::value(const std::string& key, std::vector<std::string>& member, const std::string& doc) {
  Field& field = add(key, "list of text", doc);
  field.read = [&member](const ConfigNode& node) -> Wrong {
    if (node.kind != ConfigNode::Kind::kList) return "must be a list, not " + shown(node);
    std::vector<std::string> words(node.items.size());
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (node.items[i].kind != ConfigNode::Kind::kScalar)
        return "entry " + std::to_string(i + 1) + " must be text, not " + shown(node.items[i]);
      words[i] = node.items[i].scalar;
    }
    member = std::move(words);
    return std::nullopt;
  };
  field.print = [&member] { return print_list<std::string>(member, yaml_quote); };
}

void ConfigTable::value(const std::string& key, std::vector<double>& member, const std::string& doc, double least,
                        double most) {
  Field& field = add(key, "list of numbers", doc);
  field.read = [&member, least, most](const ConfigNode& node) -> Wrong {
    if (node.kind != ConfigNode::Kind::kList) return "must be a list, not " + shown(node);
    std::vector<double> numbers(node.items.size());
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      if (Wrong wrong = read_number<double>(node.items[i], numbers[i], least, most))
        return "entry " + std::to_string(i + 1) + " " + *wrong;
    }
    member = std::move(numbers);
    return std::nullopt;
  };
  field.print = [&member] { return print_list<double>(member, shortest); };
}

void ConfigTable::value(const std::string& key, std::vector<std::pair<std::string, std::string>>& member,
                        const std::string& doc) {
  Field& field = add(key, "map", doc);
  field.read = [&member](const ConfigNode& node) -> Wrong {
    if (node.kind != ConfigNode::Kind::kMap) return "must be a map, not " + shown(node);
    std::vector<std::pair<std::string, std::string>> pairs;
    for (const ConfigEntry& entry : node.entries) {
      std::string text;
      if (Wrong wrong = read_text(entry.value, text)) return "'" + entry.key + "' " + *wrong;
      pairs.emplace_back(entry.key, text);
    }
    member = std::move(pairs);
    return std::nullopt;
  };
  field.print = [&member] {
    std::vector<std::string> words;
    for (const auto& [from, to] : member)
      words.push_back(yaml_quote(from) + ": " + (to.empty() ? "~" : yaml_quote(to)));
    return "{" + join(words) + "}";
  };
}

void ConfigTable::choice(const std::string& key, std::string& member, const std::vector<std::string>& names,
                         const std::string& doc) {
  add_choice(
      key, names, doc, [&member](const std::string& word) { member = word; }, [&member] { return member; });
}

void ConfigTable::add_choice(const std::string& key, const std::vector<std::string>& names, const std::string& doc,
                             std::function<void(const std::string&)> set, std::function<std::string()> get) {
  Field& field = add(key, join(names), doc);
  field.read = [names, set](const ConfigNode& node) -> Wrong {
    if (node.kind == ConfigNode::Kind::kScalar) {
      for (const std::string& name : names) {
        if (name == node.scalar) {
          set(name);
          return std::nullopt;
        }
      }
    }
    std::string wrong = "is " + shown(node) + ", but must be one of " + join(names);
    if (const auto near = nearest(node.scalar, names)) wrong += "; did you mean '" + *near + "'?";
    return wrong;
  };
  field.print = std::move(get);
}

void ConfigTable::tuple(const std::string& key, const std::vector<int*>& members, const std::string& doc, int least,
                        int most) {
  Field& field = add(key, std::to_string(members.size()) + " whole numbers", doc);
  field.read = [members, least, most](const ConfigNode& node) { return read_tuple(node, members, least, most); };
  field.print = [members] { return print_tuple(members); };
}

void ConfigTable::tuple(const std::string& key, const std::vector<double*>& members, const std::string& doc,
                        double least, double most) {
  Field& field = add(key, std::to_string(members.size()) + " numbers", doc);
  field.read = [members, least, most](const ConfigNode& node) { return read_tuple(node, members, least, most); };
  field.print = [members] { return print_tuple(members); };
}

void ConfigTable::tuple(const std::string& key, const std::vector<float*>& members, const std::string& doc,
                        double least, double most) {
  Field& field = add(key, std::to_string(members.size()) + " numbers", doc);
  field.read = [members, least, most](const ConfigNode& node) { return read_tuple(node, members, least, most); };
  field.print = [members] { return print_tuple(members); };
}

ConfigTable& ConfigTable::section(const std::string& key, const std::string& doc) {
  Field& field = add(key, "map", doc);
  field.section = std::make_unique<ConfigTable>();
  return *field.section;
}

void ConfigTable::add_list(const std::string& key, const std::string& doc, ListHooks hooks) {
  Field& field = add(key, "list of maps", doc);
  field.list = std::move(hooks);
}

void ConfigTable::seen(const std::string& key, std::function<void(bool)> hook) {
  for (Field& field : fields_) {
    if (field.key == key) field.seen = std::move(hook);
  }
}

void ConfigTable::unprinted(const std::string& key, std::function<bool()> when) {
  for (Field& field : fields_) {
    if (field.key == key) field.unprinted = when;
  }
}

void ConfigTable::read_field(Field& field, const ConfigEntry& entry, ConfigErrors& errors, const std::string& path) {
  const ConfigNode& node = entry.value;
  if (field.section) {
    if (node.kind == ConfigNode::Kind::kNull) return;
    if (node.kind != ConfigNode::Kind::kMap) {
      errors.add(node.place, path + " must be a map of keys, not " + shown(node));
    } else {
      field.section->read(node, errors, path + ".");
    }
  } else if (field.list) {
    if (node.kind != ConfigNode::Kind::kList) {
      errors.add(node.place, path + " must be a list, not " + shown(node));
      return;
    }
    field.list->resize(node.items.size());
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      const std::string inner = path + "." + std::to_string(i);
      if (node.items[i].kind != ConfigNode::Kind::kMap) {
        errors.add(node.items[i].place, inner + " must be a map of keys, not " + shown(node.items[i]));
      } else {
        field.list->table(i).read(node.items[i], errors, inner + ".");
      }
    }
  } else if (const Wrong wrong = field.read(node)) {
    errors.add(node.place, path + " " + *wrong);
  }
}

void ConfigTable::read(const ConfigNode& node, ConfigErrors& errors, const std::string& prefix) {
  std::vector<std::string> known;
  for (const Field& field : fields_) known.push_back(field.key);
  for (const ConfigEntry& entry : node.entries) {
    bool found = false;
    for (Field& field : fields_) {
      if (field.key != entry.key) continue;
      read_field(field, entry, errors, prefix + entry.key);
      found = true;
    }
    if (found) continue;
    std::string text = "unknown key '" + prefix + entry.key + "'";
    if (const auto near = nearest(entry.key, known)) {
      text += "; did you mean '" + *near + "'?";
    } else {
      text += "; known here: " + join(known);
    }
    errors.add(entry.place, text);
  }
  for (const Field& field : fields_) {
    if (field.seen) field.seen(node.find(field.key) != nullptr);
  }
}

std::string ConfigTable::print(const ConfigNode* source, bool with_places, int indent) const {
  const std::string space(static_cast<std::size_t>(indent), ' ');
  std::string text;
  for (const Field& field : fields_) {
    if (field.unprinted && field.unprinted()) continue;
    const ConfigEntry* entry = source == nullptr ? nullptr : source->find(field.key);
    const ConfigNode* node = entry == nullptr ? nullptr : &entry->value;
    if (field.section) {
      text += space + field.key + ":\n" + field.section->print(node, with_places, indent + 2);
    } else if (field.list) {
      const std::size_t size = field.list->size();
      text += space + field.key + (size == 0 ? ": []\n" : ":\n");
      for (std::size_t i = 0; i < size; ++i) {
        const ConfigNode* item = node != nullptr && i < node->items.size() ? &node->items[i] : nullptr;
        std::string inner = field.list->table(i).print(item, with_places, indent + 4);
        inner[static_cast<std::size_t>(indent) + 2] = '-';
        text += inner;
      }
    } else {
      std::string line = space + field.key + ": " + field.print();
      if (with_places) {
        if (line.size() < 44) line.resize(44, ' ');
        line += "  # " + (node == nullptr ? std::string("default") : node->place.text());
      }
      text += line + "\n";
    }
  }
  return text;
}

std::string ConfigTable::reference(const std::string& prefix) const {
  std::string text;
  for (const Field& field : fields_) {
    if (field.section) {
      text += "| **`" + prefix + field.key + "`** | map | | " + field.doc + " |\n";
      text += field.section->reference(prefix + field.key + ".");
    } else if (field.list) {
      text += "| **`" + prefix + field.key + "`** | list of maps | `[]` | " + field.doc + " |\n";
      text += field.list->table(static_cast<std::size_t>(-1)).reference(prefix + field.key + "[].");
    } else {
      const std::string standard = field.print();
      text += "| `" + prefix + field.key + "` | " + field.type + " | " +
              (standard.empty() || standard == "\"\"" ? "" : "`" + standard + "`") + " | " + field.doc + " |\n";
    }
  }
  return text;
}

}  // namespace conclave
