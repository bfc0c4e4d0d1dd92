#include "jobs/html.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>

#include "jobs/page_style.h"

namespace conclave {
namespace {

constexpr const char* kNothing = "–";
constexpr const char* kReplacement = "\xEF\xBF\xBD";

// Bytes of the well-formed UTF-8 sequence at `at` (RFC 3629: no overlong forms, no surrogates); 0: there is none.
std::size_t utf8_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(at);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xC2 && lead <= 0xDF   ? 2
                             : (lead & 0xF0) == 0xE0        ? 3
                             : lead >= 0xF0 && lead <= 0xF4 ? 4
                                                            : 0;
  if (length == 0 || at + length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80) return 0;
  }
  const unsigned char second = byte(at + 1);
  if (lead == 0xE0 && second < 0xA0) return 0;
  if (lead == 0xED && second > 0x9F) return 0;
  if (lead == 0xF0 && second < 0x90) return 0;
  if (lead == 0xF4 && second > 0x8F) return 0;
  return length;
}

std::string fixed(double value, int decimals) {
  char buffer[400];
  std::snprintf(buffer, sizeof buffer, "%.*f", decimals, value);
  return buffer;
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = utf8_length(text, i);
    if (length == 0) {
      out += kReplacement;
      ++i;
      continue;
    }
    const char c = text[i];
    if (length > 1) {
      out.append(text, i, length);
    } else if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '"') {
      out += "&quot;";
    } else if (c == '\'') {
      out += "&#39;";
    } else if ((c >= 0x20 && c != 0x7F) || c == '\n' || c == '\t') {
      out += c;
    }
    i += length;
  }
  return out;
}

std::string base64(std::string_view bytes) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t left = bytes.size() - i;
    std::uint32_t word = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      word = word << 8 | (k < left ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    }
    out += kDigits[word >> 18 & 63];
    out += kDigits[word >> 12 & 63];
    out += left > 1 ? kDigits[word >> 6 & 63] : '=';
    out += left > 2 ? kDigits[word & 63] : '=';
  }
  return out;
}

std::string ap_text(double ap) {
  return ap >= 0 ? fixed(100 * ap, 1) : kNothing;
}

double retention(double student, double teacher) {
  return student >= 0 && teacher > 0 ? student / teacher : std::numeric_limits<double>::quiet_NaN();
}

std::string retention_text(double student, double teacher) {
  const double share = retention(student, teacher);
  return std::isnan(share) ? kNothing : fixed(100 * share, 1) + " %";
}

std::string number_text(double value, int decimals) {
  if (std::isnan(value)) return kNothing;
  if (std::isinf(value)) return value > 0 ? "∞" : "−∞";
  std::string digits = fixed(std::abs(value), decimals);
  const std::size_t point = std::min(digits.find('.'), digits.size());
  if (point > 4) {
    for (std::size_t at = point; at > 3;) digits.insert(at -= 3, "\u202F");
  }
  const bool zero = digits.find_first_of("123456789") == std::string::npos;
  return (value < 0 && !zero ? "−" : "") + digits;
}

std::string table_html(const std::vector<Column>& columns, const std::vector<std::vector<std::string>>& rows) {
  std::string out = "<div class=\"scroll\"><table><thead>";
  if (std::any_of(columns.begin(), columns.end(), [](const Column& c) { return !c.group.empty(); })) {
    out += "<tr>";
    for (std::size_t i = 0; i < columns.size();) {
      std::size_t end = i + 1;
      while (!columns[i].group.empty() && end < columns.size() && columns[end].group == columns[i].group) ++end;
      if (columns[i].group.empty()) {
        out += "<th></th>";
      } else {
        out += "<th class=\"group\" scope=\"colgroup\" colspan=\"" + std::to_string(end - i) + "\">" +
               escape_html(columns[i].group) + "</th>";
      }
      i = end;
    }
    out += "</tr>";
  }
  out += "<tr>";
  for (const Column& column : columns) {
    out += column.numeric ? "<th class=\"num\" scope=\"col\">" : "<th scope=\"col\">";
    out += escape_html(column.title) + "</th>";
  }
  out += "</tr></thead><tbody>\n";
  for (const auto& row : rows) {
    out += "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i) {
      out += i < columns.size() && columns[i].numeric ? "<td class=\"num\">" : "<td>";
      out += row[i] + "</td>";
    }
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

std::string bar_html(double share) {
  if (std::isnan(share)) return {};
  const double width = 80 * std::clamp(share, 0.0, 1.25);
  return "<span class=\"bar\" aria-hidden=\"true\"><i style=\"width:" + fixed(width, 1) + "%\"></i><u></u></span>";
}

std::string tiles_html(const std::vector<StatTile>& tiles) {
  if (tiles.empty()) return {};
  std::string out = "<div class=\"tiles\">";
  for (const StatTile& tile : tiles) {
    out += "<div class=\"tile\"><span>" + escape_html(tile.label) + "</span><b>" + escape_html(tile.value) +
           "</b><span>" + escape_html(tile.note) + "</span></div>";
  }
  return out + "</div>\n";
}

std::string section_html(std::string_view title, const std::string& body_html) {
  if (body_html.empty()) return {};
  return "<section><h2>" + escape_html(title) + "</h2>\n" + body_html + "</section>\n";
}

std::string page_html(std::string_view title, const std::string& body_html) {
  return "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
         "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
         "<title>" +
         escape_html(title) + "</title><style>" + kPageStyle + "</style></head>\n<body><main>\n" + body_html +
         "</main></body></html>\n";
}

}  // namespace conclave
