#include "jobs/run_files.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/file.h"

namespace conclave {
namespace {

using Json = nlohmann::ordered_json;
constexpr std::size_t kLargestFile = std::size_t{1} << 30;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// A JSON object together with its place, for errors. null counts as absent: it is how JSON writes NaN.
class Fields {
 public:
  Fields(const Json& object, std::string file, std::string path = {})
      : object_(object), file_(std::move(file)), path_(std::move(path)) {
    if (!object_.is_object()) fail(path_, "an object", object_);
  }

  const Json* find(const std::string& key) const {
    const auto it = object_.find(key);
    return it == object_.end() || it->is_null() ? nullptr : &*it;
  }

  double number(const std::string& key, double otherwise) const {
    const Json* value = find(key);
    if (value == nullptr) return otherwise;
    if (!value->is_number()) fail(join(key), "a number", *value);
    return value->get<double>();
  }

  std::int64_t integer(const std::string& key, std::int64_t otherwise) const {
    const Json* value = find(key);
    if (value == nullptr) return otherwise;
    if (!value->is_number_integer()) fail(join(key), "a whole number", *value);
    return value->get<std::int64_t>();
  }

  std::string text(const std::string& key) const {
    const Json* value = find(key);
    if (value == nullptr) return {};
    if (!value->is_string()) fail(join(key), "a string", *value);
    return value->get<std::string>();
  }

  std::vector<std::string> texts(const std::string& key) const {
    std::vector<std::string> out;
    for (const Json& item : list(key)) {
      if (!item.is_string()) fail(join(key) + "[" + std::to_string(out.size()) + "]", "a string", item);
      out.push_back(item.get<std::string>());
    }
    return out;
  }

  std::optional<Fields> object(const std::string& key) const {
    const Json* value = find(key);
    if (value == nullptr) return std::nullopt;
    return Fields(*value, file_, join(key));
  }

  std::vector<Fields> objects(const std::string& key) const {
    std::vector<Fields> out;
    for (const Json& item : list(key))
      out.emplace_back(item, file_, join(key) + "[" + std::to_string(out.size()) + "]");
    return out;
  }

  std::vector<std::string> keys() const {
    std::vector<std::string> out;
    for (const auto& [key, value] : object_.items()) out.push_back(key);
    return out;
  }

 private:
  const Json& list(const std::string& key) const {
    static const Json empty = Json::array();
    const Json* value = find(key);
    if (value == nullptr) return empty;
    if (!value->is_array()) fail(join(key), "a list", *value);
    return *value;
  }

  std::string join(const std::string& key) const { return path_.empty() ? key : path_ + "." + key; }

  [[noreturn]] void fail(const std::string& field, const std::string& wanted, const Json& found) const {
    const std::string name = field.empty() ? "the value" : "`" + field + "`";
    throw Error(name + " must be " + wanted + ", not " + found.type_name(), file_);
  }

  const Json& object_;
  std::string file_, path_;
};

ApNumbers read_ap(const Fields& fields) {
  ApNumbers ap;
  ap.ap = fields.number("ap", -1);
  ap.ap50 = fields.number("ap50", -1);
  ap.ap75 = fields.number("ap75", -1);
  ap.ap_small = fields.number("ap_small", -1);
  ap.ap_medium = fields.number("ap_medium", -1);
  ap.ap_large = fields.number("ap_large", -1);
  return ap;
}

std::map<std::string, ApNumbers> read_per_class(const Fields& parent) {
  std::map<std::string, ApNumbers> out;
  const auto fields = parent.object("per_class");
  if (!fields) return out;
  for (const std::string& name : fields->keys()) {
    if (const auto entry = fields->object(name)) out[name] = read_ap(*entry);
  }
  return out;
}

std::vector<std::pair<std::string, double>> read_numbers(const Fields& parent, const std::string& key) {
  std::vector<std::pair<std::string, double>> out;
  const auto fields = parent.object(key);
  if (!fields) return out;
  for (const std::string& name : fields->keys()) out.emplace_back(name, fields->number(name, kNaN));
  return out;
}

RunRecord record_of(const Fields& root) {
  RunRecord record;
  record.name = root.text("name");
  record.method = root.text("method");
  record.loss = root.text("loss");
  if (root.find("seed") != nullptr) record.seed = root.integer("seed", 0);
  record.classes = root.texts("classes");
  record.coverage = root.text("coverage");
  if (const auto f = root.object("student")) {
    StudentResult student;
    student.parameters = f->integer("parameters", 0);
    student.set = f->text("set");
    student.images = f->integer("images", 0);
    if (const auto all = f->object("all")) student.all = read_ap(*all);
    student.per_class = read_per_class(*f);
    record.student = std::move(student);
  }
  for (const Fields& f : root.objects("teachers")) {
    record.teachers.push_back({f.text("name"), f.texts("classes"), read_per_class(f)});
  }
  if (const auto f = root.object("training")) {
    record.training = TrainingResult{f->integer("steps", 0),       f->integer("images", 0),
                                     f->number("seconds", kNaN),   f->number("images_per_second", kNaN),
                                     f->number("data_wait", kNaN), f->number("teacher_wait", kNaN)};
  }
  if (const auto f = root.object("wire")) {
    record.wire =
        WireResult{f->integer("views", 0), f->integer("leases_reissued", 0), read_numbers(*f, "bytes_per_view")};
  }
  for (const Fields& f : root.objects("pictures")) record.pictures.push_back({f.text("file"), f.text("caption")});
  if (const auto f = root.object("environment")) {
    for (const std::string& key : f->keys()) {
      const Json* value = f->find(key);
      if (value == nullptr) continue;
      record.environment.emplace_back(key, value->is_string()
                                               ? value->get<std::string>()
                                               : value->dump(-1, ' ', false, Json::error_handler_t::replace));
    }
  }
  return record;
}

TrainingRow training_row(const Fields& f) {
  TrainingRow row;
  row.step = f.integer("step", 0);
  row.loss = f.number("loss", kNaN);
  row.lr = f.number("lr", kNaN);
  row.images_per_second = f.number("images_per_second", kNaN);
  row.data_wait = f.number("data_wait", kNaN);
  row.teacher_wait = f.number("teacher_wait", kNaN);
  row.grad_norm = f.number("grad_norm", kNaN);
  row.terms = read_numbers(f, "terms");
  return row;
}

void add_row(RunMetrics& metrics, const Fields& f) {
  if (const auto eval = f.object("eval")) {
    EvaluationRow row{f.integer("step", 0), eval->text("set"), read_ap(*eval), read_per_class(*eval)};
    // Validation and test at one step are different rows; the same set again is a resumed run's.
    std::erase_if(metrics.evaluations, [&](const EvaluationRow& old) {
      return old.step > row.step || (old.step == row.step && old.set == row.set);
    });
    metrics.evaluations.push_back(std::move(row));
    return;
  }
  TrainingRow row = training_row(f);
  while (!metrics.training.empty() && metrics.training.back().step >= row.step) metrics.training.pop_back();
  metrics.training.push_back(std::move(row));
}

// What nlohmann says, without its error number and its own idea of the position.
std::string reason_of(const Json::parse_error& error) {
  const std::string text = error.what();
  const std::size_t at = text.find(": ");
  return at == std::string::npos ? text : text.substr(at + 2);
}

}  // namespace

RunRecord read_run_record(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "result.json";
  const std::string text = read_file(path, kLargestFile);
  Json json;
  try {
    json = Json::parse(text);
  } catch (const Json::parse_error& error) {
    const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(error.byte, text.size()));
    const auto line = 1 + std::count(text.begin(), end, '\n');
    throw Error("not JSON: " + reason_of(error), path.string() + ":" + std::to_string(line));
  }
  return record_of(Fields(json, path.string()));
}

RunMetrics read_run_metrics(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "metrics.jsonl";
  RunMetrics metrics;
  if (!std::filesystem::exists(path)) return metrics;
  const std::string text = read_file(path, kLargestFile);
  std::size_t number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t feed = text.find('\n', begin);
    const bool torn = feed == std::string::npos;
    const std::size_t end = torn ? text.size() : feed;
    const std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string where = path.string() + ":" + std::to_string(number);
    Json json;
    try {
      json = Json::parse(line);
    } catch (const Json::parse_error& error) {
      if (!torn) throw Error("not JSON: " + reason_of(error), where);
      metrics.note = "The last line of metrics.jsonl (" + std::to_string(number) + ") was cut off and is ignored.";
      break;
    }
    add_row(metrics, Fields(json, where));
  }
  return metrics;
}

}  // namespace conclave
