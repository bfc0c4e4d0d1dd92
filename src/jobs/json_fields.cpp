#include "jobs/json_fields.h"

#include <algorithm>
#include <limits>

#include "core/error.h"
#include "core/file.h"

namespace conclave {
namespace {

constexpr std::size_t kLargestFile = std::size_t{1} << 30;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

}  // namespace

JsonFields::JsonFields(const Json& object, std::string file, std::string path)
    : object_(object), file_(std::move(file)), path_(std::move(path)) {
  if (!object_.is_object()) fail(path_, "an object", object_);
}

const JsonFields::Json* JsonFields::find(const std::string& key) const {
  const auto it = object_.find(key);
  return it == object_.end() || it->is_null() ? nullptr : &*it;
}

double JsonFields::number(const std::string& key, double otherwise) const {
  const Json* value = find(key);
  if (value == nullptr) return otherwise;
  if (!value->is_number()) fail(join(key), "a number", *value);
  return value->get<double>();
}

std::int64_t JsonFields::integer(const std::string& key, std::int64_t otherwise) const {
  const Json* value = find(key);
  if (value == nullptr) return otherwise;
  if (!value->is_number_integer()) fail(join(key), "a whole number", *value);
  return value->get<std::int64_t>();
}

std::string JsonFields::text(const std::string& key) const {
  const Json* value = find(key);
  if (value == nullptr) return {};
  if (!value->is_string()) fail(join(key), "a string", *value);
  return value->get<std::string>();
}

std::vector<std::string> JsonFields::texts(const std::string& key) const {
  std::vector<std::string> out;
  for (const Json& item : list(key)) {
    if (!item.is_string()) fail(join(key) + "[" + std::to_string(out.size()) + "]", "a string", item);
    out.push_back(item.get<std::string>());
  }
  return out;
}

std::vector<double> JsonFields::numbers(const std::string& key) const {
  std::vector<double> out;
  for (const Json& item : list(key)) {
    if (!item.is_number() && !item.is_null())
      fail(join(key) + "[" + std::to_string(out.size()) + "]", "a number", item);
    out.push_back(item.is_null() ? kNaN : item.get<double>());
  }
  return out;
}

std::vector<std::pair<std::string, double>> JsonFields::named_numbers(const std::string& key) const {
  std::vector<std::pair<std::string, double>> out;
  const auto fields = object(key);
  if (!fields) return out;
  for (const std::string& name : fields->keys()) out.emplace_back(name, fields->number(name, kNaN));
  return out;
}

std::optional<JsonFields> JsonFields::object(const std::string& key) const {
  const Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  return JsonFields(*value, file_, join(key));
}

std::vector<JsonFields> JsonFields::objects(const std::string& key) const {
  std::vector<JsonFields> out;
  for (const Json& item : list(key)) out.emplace_back(item, file_, join(key) + "[" + std::to_string(out.size()) + "]");
  return out;
}

std::vector<std::string> JsonFields::keys() const {
  std::vector<std::string> out;
  for (const auto& [key, value] : object_.items()) out.push_back(key);
  return out;
}

const JsonFields::Json& JsonFields::list(const std::string& key) const {
  static const Json empty = Json::array();
  const Json* value = find(key);
  if (value == nullptr) return empty;
  if (!value->is_array()) fail(join(key), "a list", *value);
  return *value;
}

std::string JsonFields::join(const std::string& key) const {
  return path_.empty() ? key : path_ + "." + key;
}

void JsonFields::fail(const std::string& field, const std::string& wanted, const Json& found) const {
  const std::string name = field.empty() ? "the value" : "`" + field + "`";
  throw Error(name + " must be " + wanted + ", not " + found.type_name(), file_);
}

JsonFields::Json parse_json_file(const std::filesystem::path& path) {
  const std::string text = read_file(path, kLargestFile);
  try {
    return JsonFields::Json::parse(text);
  } catch (const JsonFields::Json::parse_error& error) {
    const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(error.byte, text.size()));
    const auto line = 1 + std::count(text.begin(), end, '\n');
    throw Error("not JSON: " + reason_of(error), path.string() + ":" + std::to_string(line));
  }
}

std::string reason_of(const JsonFields::Json::parse_error& error) {
  const std::string text = error.what();
  const std::size_t at = text.find(": ");
  return at == std::string::npos ? text : text.substr(at + 2);
}

}  // namespace conclave
