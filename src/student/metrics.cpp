#include "student/metrics.h"

#include <charconv>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/error.h"
#include "core/file.h"

namespace conclave {
namespace {

std::optional<std::int64_t> step_of(const std::string& row, RowFile::Format format) {
  if (format == RowFile::Format::kTrace) {
    std::int64_t step = 0;
    const auto [end, failure] = std::from_chars(row.data(), row.data() + row.size(), step);
    if (failure != std::errc() || end == row.data() + row.size() || *end != ' ') return std::nullopt;
    return step;
  }
  const nlohmann::json json = nlohmann::json::parse(row, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("step") || !json["step"].is_number_integer()) return std::nullopt;
  return json["step"].get<std::int64_t>();
}

// The whole rows up to `step`, as text.
std::string rows_until(const std::string& text, RowFile::Format format, std::int64_t step) {
  std::string kept;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    if (end == std::string::npos) break;
    const std::string row = text.substr(begin, end - begin);
    const std::optional<std::int64_t> of = step_of(row, format);
    if (of && *of <= step) kept += row + '\n';
    begin = end + 1;
  }
  return kept;
}

}  // namespace

nlohmann::ordered_json to_json(const StepMetrics& metrics) {
  nlohmann::ordered_json terms = nlohmann::ordered_json::object();
  for (const auto& [name, value] : metrics.terms) terms[name] = value;
  return {{"step", metrics.step},
          {"epoch", metrics.epoch},
          {"loss", metrics.loss},
          {"terms", std::move(terms)},
          {"lr", metrics.lr},
          {"images_per_second", metrics.images_per_second},
          {"data_wait", metrics.data_wait},
          {"teacher_wait", metrics.teacher_wait},
          {"grad_norm", metrics.grad_norm}};
}

RowFile::RowFile(std::filesystem::path path, Format format, std::int64_t step) : path_(std::move(path)) {
  if (std::filesystem::exists(path_)) {
    const std::string text = read_file(path_);
    const std::string kept = rows_until(text, format, step);
    if (kept.size() != text.size()) write_file_atomically(path_, kept);
  }
  file_.open(path_, std::ios::app | std::ios::binary);
  if (!file_) throw Error("can't be opened for writing", path_.string());
}

void RowFile::write(const std::string& row) {
  file_ << row << '\n';
}

void RowFile::flush() {
  file_.flush();
  if (!file_) throw Error("can't be written", path_.string(), "is the disk full?");
}

std::string trace_row(std::int64_t step, float loss) {
  char row[96];
  std::snprintf(row, sizeof row, "%lld %a", static_cast<long long>(step), static_cast<double>(loss));
  return row;
}

}  // namespace conclave
