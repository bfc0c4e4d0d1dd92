#include <nlohmann/json.hpp>
#include <type_traits>

#include "core/error.h"
#include "monitor/status.h"

namespace conclave {
namespace {

using Json = nlohmann::ordered_json;

// One description of each struct serves both ways.
template <class Visit>
void visit(Visit&& v,
           auto& s) requires std::is_same_v<std::remove_const_t<std::remove_reference_t<decltype(s)>>, WorkerRow> {
  v("worker", s.worker), v("teacher", s.teacher), v("views", s.views), v("busy_seconds", s.busy_seconds);
  v("held", s.held), v("silent_seconds", s.silent_seconds);
}

template <class Visit>
void visit(Visit&& v,
           auto& s) requires std::is_same_v<std::remove_const_t<std::remove_reference_t<decltype(s)>>, TeacherRow> {
  v("teacher", s.teacher), v("workers", s.workers), v("waiting", s.waiting), v("bytes", s.bytes);
  v("views_per_second", s.views_per_second);
}

template <class Visit>
void visit(Visit&& v,
           auto& s) requires std::is_same_v<std::remove_const_t<std::remove_reference_t<decltype(s)>>, RankStatus> {
  v("run", s.run), v("phase", s.phase), v("rank", s.rank), v("ranks", s.ranks), v("step", s.step), v("steps", s.steps);
  v("loss", s.loss), v("lr", s.lr), v("images_per_second", s.images_per_second), v("data_wait", s.data_wait);
  v("teacher_wait", s.teacher_wait), v("eta_seconds", s.eta_seconds), v("up_seconds", s.up_seconds);
  v("local", s.local), v("window", s.window), v("views", s.views), v("stored_views", s.stored_views),
      v("bytes", s.bytes);
  v("leases_reissued", s.leases_reissued);
}

Json written(const auto& row) {
  Json json = Json::object();
  visit([&](const char* key, const auto& value) { json[key] = value; }, row);
  return json;
}

void read(const Json& json, auto& row) {
  visit([&](const char* key, auto& value) { json.at(key).get_to(value); }, row);
}

}  // namespace

Json to_json(const RankStatus& status) {
  Json json = written(status);
  Json phases = Json::object();
  for (const auto& [name, seconds] : status.phases) phases[name] = seconds;
  json["phases"] = std::move(phases);
  json["teachers"] = Json::array();
  for (const TeacherRow& row : status.teachers) json["teachers"].push_back(written(row));
  json["workers"] = Json::array();
  for (const WorkerRow& row : status.workers) json["workers"].push_back(written(row));
  return json;
}

Json to_json(const WorkerStatus& status) {
  return {{"worker", status.worker}, {"teachers", status.teachers},    {"trainer", status.trainer},
          {"leases", status.leases}, {"views", status.views},          {"stored_views", status.stored_views},
          {"bytes", status.bytes},   {"up_seconds", status.up_seconds}};
}

RankStatus rank_status(const Json& json, const std::string& where) {
  RankStatus status;
  try {
    read(json, status);
    for (const auto& [name, seconds] : json.at("phases").items())
      status.phases.emplace_back(name, seconds.get<double>());
    for (const Json& row : json.at("teachers")) read(row, status.teachers.emplace_back());
    for (const Json& row : json.at("workers")) read(row, status.workers.emplace_back());
  } catch (const nlohmann::json::exception& error) {
    throw Error(std::string("not the status of a rank: ") + error.what(), where);
  }
  return status;
}

}  // namespace conclave
