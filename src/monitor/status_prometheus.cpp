#include <cmath>
#include <cstdio>

#include "monitor/status.h"

namespace conclave {
namespace {

using Labels = std::vector<std::pair<std::string, std::string>>;

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    out += c == '\n' ? std::string("\\n") : std::string(1, c);
  }
  return out;
}

// Writes families one after the other: "# HELP", "# TYPE", then samples.
class Exposition {
 public:
  explicit Exposition(Labels common) : common_(std::move(common)) {}

  Exposition& family(const std::string& name, const char* type, const char* help) {
    name_ = "conclave_" + name;
    text_ += "# HELP " + name_ + " " + help + "\n# TYPE " + name_ + " " + type + "\n";
    return *this;
  }
  Exposition& sample(double value, const Labels& labels = {}) {
    std::string inside;
    for (const Labels* some : {&common_, &labels}) {
      for (const auto& [key, label] : *some)
        inside += (inside.empty() ? "" : ",") + key + "=\"" + escaped(label) + "\"";
    }
    char number[40];
    if (std::isfinite(value)) {
      std::snprintf(number, sizeof number, "%.15g", value);
    } else {
      std::snprintf(number, sizeof number, "%s", std::isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf");
    }
    text_ += name_ + (inside.empty() ? "" : "{" + inside + "}") + " " + number + "\n";
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  const Labels common_;
  std::string name_, text_;
};

}  // namespace

std::string to_prometheus(const RankStatus& s) {
  Exposition out({{"run", s.run}, {"rank", std::to_string(s.rank)}});
  const auto number = [](auto value) { return static_cast<double>(value); };
  out.family("step", "gauge", "Optimizer steps done.").sample(number(s.step));
  out.family("steps", "gauge", "Optimizer steps of the whole training.").sample(number(s.steps));
  out.family("loss", "gauge", "Loss of the newest step.").sample(s.loss);
  out.family("learning_rate", "gauge", "Learning rate of the newest step.").sample(s.lr);
  out.family("images_per_second", "gauge", "Images that this rank learns from per second.").sample(s.images_per_second);
  out.family("wait_ratio", "gauge", "Share of the time spent waiting, by what for.")
      .sample(s.data_wait, {{"for", "data"}})
      .sample(s.teacher_wait, {{"for", "teachers"}});
  out.family("up_seconds", "gauge", "Seconds since the rank started.").sample(s.up_seconds);
  out.family("phase_seconds_total", "counter", "Seconds of the training loop, by phase.");
  for (const auto& [name, seconds] : s.phases) out.sample(seconds, {{"phase", name}});
  out.family("views_total", "counter", "Views whose targets were taken.").sample(number(s.views));
  out.family("stored_views_total", "counter", "Views answered from the store alone.").sample(number(s.stored_views));
  out.family("leases_reissued_total", "counter", "Leases that went to another worker.")
      .sample(number(s.leases_reissued));
  out.family("teacher_bytes_total", "counter", "Bytes of records received, by teacher.");
  for (const TeacherRow& t : s.teachers) out.sample(number(t.bytes), {{"teacher", t.teacher}});
  out.family("teacher_workers", "gauge", "Workers connected, by teacher.");
  for (const TeacherRow& t : s.teachers) out.sample(t.workers, {{"teacher", t.teacher}});
  out.family("teacher_waiting_leases", "gauge", "Leases that no worker holds, by teacher.");
  for (const TeacherRow& t : s.teachers) out.sample(t.waiting, {{"teacher", t.teacher}});
  out.family("worker_views_total", "counter", "Views answered for this rank, by worker.");
  for (const WorkerRow& w : s.workers) out.sample(number(w.views), {{"teacher", w.teacher}, {"worker", w.worker}});
  out.family("worker_held_leases", "gauge", "Leases that a worker holds.");
  for (const WorkerRow& w : s.workers) out.sample(w.held, {{"teacher", w.teacher}, {"worker", w.worker}});
  return out.text();
}

std::string to_prometheus(const WorkerStatus& s) {
  Exposition out({{"worker", s.worker}});
  const auto number = [](auto value) { return static_cast<double>(value); };
  out.family("worker_leases_total", "counter", "Leases answered.").sample(number(s.leases));
  out.family("worker_answered_views_total", "counter", "Views answered.").sample(number(s.views));
  out.family("worker_stored_views_total", "counter", "Views that its own store had.").sample(number(s.stored_views));
  out.family("worker_bytes_total", "counter", "Bytes of records sent.").sample(number(s.bytes));
  out.family("worker_up_seconds", "gauge", "Seconds since the worker started.").sample(s.up_seconds);
  return out.text();
}

}  // namespace conclave
