#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace conclave {

// The pieces that reports are made of. Functions take plain text and escape it, unless a name or comment says html.

// Safe as element content and inside a quoted attribute: & < > " ' are replaced, control characters other than tab and
// line feed dropped, bytes that are not UTF-8 shown as U+FFFD.
std::string escape_html(std::string_view text);

// RFC 4648, with padding.
std::string base64(std::string_view bytes);

// AP in [0,1] as a percentage with one decimal, without the sign: "50.1". Negative (no ground truth) and NaN: "–".
std::string ap_text(double ap);

// student / teacher as "100.9 %"; "–" where either has no ground truth or the teacher's is 0.
std::string retention_text(double student, double teacher);

// NaN under the same conditions.
double retention(double student, double teacher);

// A number with `decimals` decimals and narrow no-break spaces between thousands from 10 000 on: "21 000", "61.4". NaN:
// "–".
std::string number_text(double value, int decimals = 0);

struct Column {
  std::string title;
  bool numeric = false;  // right-aligned, figures of equal width
  std::string group;     // neighbouring columns of one group share a heading above theirs; empty: none
};

// Cells are html: escape what comes from outside. Scrolls sideways by itself when it is wider than the page.
std::string table_html(const std::vector<Column>& columns, const std::vector<std::vector<std::string>>& rows);

// A bar of `share` of its track (1 = the mark at 80 % of it, so that more than everything shows; clipped at 1.25).
// Empty for NaN.
std::string bar_html(double share);

// Large numbers side by side: what it is, the number, and a word below it.
struct StatTile {
  std::string label, value, note;
};
std::string tiles_html(const std::vector<StatTile>& tiles);

// A section with a heading; nothing at all when the body is empty.
std::string section_html(std::string_view title, const std::string& body_html);

// The whole document: inline style for light and dark, wide and narrow, screen and paper. Refers to nothing outside.
std::string page_html(std::string_view title, const std::string& body_html);

}  // namespace conclave
