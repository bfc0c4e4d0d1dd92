#include "monitor/trace_file.h"

#include <nlohmann/json.hpp>

#include "core/error.h"

namespace conclave {

using Json = nlohmann::ordered_json;

TraceFile::TraceFile(const std::filesystem::path& path, const std::string& process, int id)
    : file_(path, std::ios::trunc), id_(id) {
  if (!file_) throw Error("can't be written", path.string());
  file_ << "[\n"
        << Json{{"name", "process_name"}, {"ph", "M"}, {"pid", id}, {"tid", 0}, {"args", {{"name", process}}}}.dump();
}

TraceFile::~TraceFile() {
  file_ << "\n]\n";
}

void TraceFile::span(const std::string& name, double begin, double end, std::int64_t step) {
  const auto microseconds = [](double seconds) { return static_cast<std::int64_t>(seconds * 1e6); };
  const std::int64_t start = microseconds(begin);
  file_ << ",\n"
        << Json{{"name", name},
                {"ph", "X"},
                {"pid", id_},
                {"tid", 0},
                {"ts", start},
                {"dur", microseconds(end) - start},
                {"args", {{"step", step}}}}
               .dump();
  file_.flush();
}

}  // namespace conclave
