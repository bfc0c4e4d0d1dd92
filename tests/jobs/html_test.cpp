#include "jobs/html.h"

#include <gtest/gtest.h>

#include <cmath>

namespace conclave {
namespace {

TEST(EscapeHtml, DisarmsAHostileClassName) {
  EXPECT_EQ(escape_html("<script>alert('x')</script>&\"y\""),
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;y&quot;");
}

TEST(EscapeHtml, KeepsUtf8AndReplacesWhatIsNotUtf8) {
  EXPECT_EQ(escape_html("Bücher 猫 😀"), "Bücher 猫 😀");
  EXPECT_EQ(escape_html("a\xFF\x62"),
            "a\xEF\xBF\xBD"
            "b");
  EXPECT_EQ(escape_html("\xC0\xBC"), "\xEF\xBF\xBD\xEF\xBF\xBD") << "an overlong <";
  EXPECT_EQ(escape_html("\xE4\xB8"), "\xEF\xBF\xBD\xEF\xBF\xBD") << "cut off";
}

TEST(EscapeHtml, DropsControlCharactersButKeepsLines) {
  EXPECT_EQ(escape_html(std::string_view("a\0b\x1B\tc\nd", 8)), "ab\tc\nd");
}

TEST(Base64, MatchesTheVectorsOfRfc4648) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xFF\xFE\xFD"), "//79");
}

TEST(ApText, ShowsPercentWithOneDecimalAndADashWithoutGroundTruth) {
  EXPECT_EQ(ap_text(0.5014), "50.1");
  EXPECT_EQ(ap_text(0), "0.0");
  EXPECT_EQ(ap_text(1), "100.0");
  EXPECT_EQ(ap_text(-1), "–");
  EXPECT_EQ(ap_text(std::nan("")), "–");
}

TEST(Retention, IsTheStudentsShareOfItsTeacher) {
  EXPECT_EQ(retention_text(0.772, 0.762), "101.3 %");
  EXPECT_EQ(retention_text(0, 0.5), "0.0 %");
  EXPECT_EQ(retention_text(-1, 0.5), "–");
  EXPECT_EQ(retention_text(0.5, -1), "–");
  EXPECT_EQ(retention_text(0.5, 0), "–");
}

TEST(NumberText, GroupsThousandsFromFiveDigitsOn) {
  EXPECT_EQ(number_text(8000), "8000");
  EXPECT_EQ(number_text(1234567.25, 1), "1\u202F234\u202F567.2");
  EXPECT_EQ(number_text(-0.04, 1), "0.0") << "zero has no sign";
  EXPECT_EQ(number_text(-21000), "−21\u202F000");
  EXPECT_EQ(number_text(std::nan("")), "–");
}

TEST(BarHtml, MarksParityAtFourFifthsAndClips) {
  EXPECT_NE(bar_html(1.0).find("width:80.0%"), std::string::npos);
  EXPECT_NE(bar_html(9.0).find("width:100.0%"), std::string::npos);
  EXPECT_EQ(bar_html(std::nan("")), "");
}

TEST(TableHtml, JoinsTheHeadingsOfAGroupAndEscapesThem) {
  const std::string html =
      table_html({{"Class", false, ""}, {"a<b", true, "AP"}, {"c", true, "AP"}}, {{"x", "1", "2"}});
  EXPECT_NE(html.find("<tr><th></th><th class=\"group\" scope=\"colgroup\" colspan=\"2\">AP</th></tr>"),
            std::string::npos);
  EXPECT_NE(html.find("<th class=\"num\" scope=\"col\">a&lt;b</th>"), std::string::npos);
  EXPECT_NE(html.find("<tr><td>x</td><td class=\"num\">1</td><td class=\"num\">2</td></tr>"), std::string::npos);
}

TEST(SectionHtml, IsNothingWithoutABody) {
  EXPECT_EQ(section_html("Wire", ""), "");
  EXPECT_EQ(section_html("A & B", "<p>x</p>"), "<section><h2>A &amp; B</h2>\n<p>x</p></section>\n");
}

TEST(PageHtml, RefersToNothingOutside) {
  const std::string html = page_html("t", "<p>x</p>");
  EXPECT_EQ(html.rfind("<!DOCTYPE html>", 0), 0u);
  for (const char* outside : {"http", "<link", "url(", "@import", "<script"}) {
    EXPECT_EQ(html.find(outside), std::string::npos) << outside;
  }
  EXPECT_NE(html.find("prefers-color-scheme:dark"), std::string::npos);
}

}  // namespace
}  // namespace conclave
