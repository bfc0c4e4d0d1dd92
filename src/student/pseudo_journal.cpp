#include "student/pseudo_journal.h"

#include <nlohmann/json.hpp>
#include <sstream>

#include "core/error.h"
#include "core/file.h"

namespace conclave {
namespace {

using Json = nlohmann::ordered_json;

std::string to_line(const std::vector<ClassThreshold>& thresholds) {
  Json rows = Json::array();
  for (const ClassThreshold& t : thresholds) rows.push_back({t.score, t.precision, t.recall, t.f1});
  return Json{{"thresholds", std::move(rows)}}.dump();
}

std::string to_line(const std::vector<Detection>& boxes) {
  Json rows = Json::array();
  for (const Detection& d : boxes) rows.push_back({d.cls, d.score, d.box.x0, d.box.y0, d.box.x1, d.box.y1});
  return rows.dump();
}

std::vector<ClassThreshold> thresholds_of(const Json& rows) {
  std::vector<ClassThreshold> thresholds;
  for (const Json& row : rows) {
    thresholds.push_back(
        {row.at(0).get<float>(), row.at(1).get<double>(), row.at(2).get<double>(), row.at(3).get<double>()});
  }
  return thresholds;
}

std::vector<Detection> boxes_of(const Json& rows) {
  std::vector<Detection> boxes;
  for (const Json& row : rows) {
    const auto number = [&](std::size_t i) { return row.at(i).get<float>(); };
    boxes.push_back({{number(2), number(3), number(4), number(5)}, row.at(0).get<int>(), number(1)});
  }
  return boxes;
}

// The file's whole lines.
std::vector<std::string> whole_lines(const std::filesystem::path& file) {
  std::vector<std::string> lines;
  if (!std::filesystem::exists(file)) return lines;
  const std::string text = read_file(file);
  for (std::size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    lines.push_back(text.substr(begin, end - begin));
  }
  return lines;
}

std::optional<std::string> header_of(const std::vector<std::string>& lines) {
  if (lines.empty()) return std::nullopt;
  const Json header = Json::parse(lines.front(), nullptr, /*allow_exceptions=*/false);
  if (!header.is_object() || !header.contains("made_by") || !header["made_by"].is_string()) return std::nullopt;
  return header["made_by"].get<std::string>();
}

}  // namespace

std::optional<std::string> PseudoJournal::made_by(const std::filesystem::path& file) {
  return header_of(whole_lines(file));
}

PseudoJournal::PseudoJournal(std::filesystem::path file, const std::string& made_by, bool reuse)
    : file_(std::move(file)) {
  std::vector<std::string> lines = reuse ? whole_lines(file_) : std::vector<std::string>();
  const std::optional<std::string> begun_with = header_of(lines);
  if (begun_with && *begun_with != made_by) {
    throw Error("holds what teachers said of other images or options, or other teachers", file_.string(),
                "set these back to go on with it, start a new run in another folder, or remove the file", Exit::kUsage);
  }
  if (!begun_with) lines.clear();
  std::string kept = Json{{"made_by", made_by}}.dump() + "\n";
  try {
    for (std::size_t i = 1; i < lines.size(); ++i) {
      const Json line = Json::parse(lines[i]);
      if (i == 1) {
        thresholds_ = thresholds_of(line.at("thresholds"));
      } else {
        views_.push_back(boxes_of(line));
      }
      kept += lines[i] + "\n";
    }
  } catch (const Json::exception&) {  // a machine that lost power may leave anything behind: what was whole counts
  }
  write_file_atomically(file_, kept);
  out_.open(file_, std::ios::app | std::ios::binary);
  if (!out_) throw Error("can't be written", file_.string());
}

void PseudoJournal::append(const std::string& line) {
  out_ << line << '\n' << std::flush;
  if (!out_) throw Error("can't be written", file_.string(), "is the disk full?");
}

void PseudoJournal::add(const std::vector<ClassThreshold>& thresholds) {
  thresholds_ = thresholds;
  append(to_line(thresholds));
}

void PseudoJournal::add(const std::vector<Detection>& view) {
  views_.push_back(view);
  append(to_line(view));
}

std::string to_text(const std::vector<ClassThreshold>& thresholds, const std::vector<std::vector<Detection>>& views) {
  std::string text = to_line(thresholds) + "\n";
  for (const auto& view : views) text += to_line(view) + "\n";
  return text;
}

void from_text(const std::string& text, std::vector<ClassThreshold>& thresholds,
               std::vector<std::vector<Detection>>& views) {
  std::istringstream lines(text);
  std::string line;
  if (std::getline(lines, line)) thresholds = thresholds_of(Json::parse(line).at("thresholds"));
  while (std::getline(lines, line)) views.push_back(boxes_of(Json::parse(line)));
}

}  // namespace conclave
