#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace conclave {

// A JSON object together with its place, for errors. null counts as absent: it is how JSON writes NaN. Every function
// throws Error for a value of another type: "`student.images` must be a whole number, not string". Refers to the
// object, which must outlive it.
class JsonFields {
 public:
  using Json = nlohmann::ordered_json;

  JsonFields(const Json& object, std::string file, std::string path = {});

  const Json* find(const std::string& key) const;  // null: absent
  double number(const std::string& key, double otherwise) const;
  std::int64_t integer(const std::string& key, std::int64_t otherwise) const;
  std::string text(const std::string& key) const;  // empty: absent
  std::vector<std::string> texts(const std::string& key) const;
  std::vector<double> numbers(const std::string& key) const;                                // null: NaN
  std::vector<std::pair<std::string, double>> named_numbers(const std::string& key) const;  // in the file's order
  std::optional<JsonFields> object(const std::string& key) const;
  std::vector<JsonFields> objects(const std::string& key) const;
  std::vector<std::string> keys() const;

 private:
  const Json& list(const std::string& key) const;
  std::string join(const std::string& key) const;
  [[noreturn]] void fail(const std::string& field, const std::string& wanted, const Json& found) const;

  const Json& object_;
  std::string file_, path_;
};

// Throws Error with where = file:line for what is not JSON, where = file for one that can't be read.
JsonFields::Json parse_json_file(const std::filesystem::path& path);

// What nlohmann says, without its error number and its own idea of the position.
std::string reason_of(const JsonFields::Json::parse_error& error);

}  // namespace conclave
