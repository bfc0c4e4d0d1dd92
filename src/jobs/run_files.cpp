#include "jobs/run_files.h"

#include <algorithm>
#include <limits>

#include "core/error.h"
#include "core/file.h"
#include "jobs/json_fields.h"

namespace conclave {
namespace {

using Json = JsonFields::Json;
constexpr std::size_t kLargestFile = std::size_t{1} << 30;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

ApNumbers read_ap(const JsonFields& fields) {
  ApNumbers ap;
  ap.ap = fields.number("ap", -1);
  ap.ap50 = fields.number("ap50", -1);
  ap.ap75 = fields.number("ap75", -1);
  ap.ap_small = fields.number("ap_small", -1);
  ap.ap_medium = fields.number("ap_medium", -1);
  ap.ap_large = fields.number("ap_large", -1);
  return ap;
}

std::map<std::string, ApNumbers> read_per_class(const JsonFields& parent) {
  std::map<std::string, ApNumbers> out;
  const auto fields = parent.object("per_class");
  if (!fields) return out;
  for (const std::string& name : fields->keys()) {
    if (const auto entry = fields->object(name)) out[name] = read_ap(*entry);
  }
  return out;
}

RunRecord record_of(const JsonFields& root) {
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
    student.seen_images = f->integer("seen_images", 0);
    if (const auto all = f->object("all")) student.all = read_ap(*all);
    student.per_class = read_per_class(*f);
    record.student = std::move(student);
  }
  for (const JsonFields& f : root.objects("teachers")) {
    record.teachers.push_back({f.text("name"), f.texts("classes"), read_per_class(f)});
  }
  if (const auto f = root.object("training")) {
    record.training = TrainingResult{f->integer("steps", 0),
                                     f->integer("images", 0),
                                     f->number("seconds", kNaN),
                                     f->number("images_per_second", kNaN),
                                     f->number("data_wait", kNaN),
                                     f->number("teacher_wait", kNaN),
                                     f->number("labelling", kNaN),
                                     f->integer("resumed_after", 0),
                                     f->number("trainer_memory", kNaN),
                                     f->number("worker_memory", kNaN),
                                     f->named_numbers("teacher_busy")};
  }
  if (const auto f = root.object("wire")) {
    record.wire =
        WireResult{f->integer("views", 0), f->integer("leases_reissued", 0), f->named_numbers("bytes_per_view")};
  }
  record.stored_views = root.integer("stored_views", 0);
  record.pictures = read_pictures(root);
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

TrainingRow training_row(const JsonFields& f) {
  TrainingRow row;
  row.step = f.integer("step", 0);
  row.loss = f.number("loss", kNaN);
  row.lr = f.number("lr", kNaN);
  row.images_per_second = f.number("images_per_second", kNaN);
  row.data_wait = f.number("data_wait", kNaN);
  row.teacher_wait = f.number("teacher_wait", kNaN);
  row.grad_norm = f.number("grad_norm", kNaN);
  row.terms = f.named_numbers("terms");
  return row;
}

void add_row(RunMetrics& metrics, const JsonFields& f) {
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

}  // namespace

RunRecord read_run_record(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "result.json";
  const Json json = parse_json_file(path);
  return record_of(JsonFields(json, path.string()));
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
    add_row(metrics, JsonFields(json, where));
  }
  return metrics;
}

}  // namespace conclave
