#include "jobs/side_by_side.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "compared_methods.h"
#include "run_folder.h"

namespace conclave {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::ordered_json;

// Three methods; kd and pseudo are finished and drawn.
class SideBySide : public ::testing::Test {
 protected:
  SideBySide() {
    for (ComparedRun& run : comparison_.runs) run.folder = folder_.path() / run.folder;
    for (const char* method : {"kd", "pseudo"})
      folder_.write(std::string("runs/") + method + "/seed0/result.json", "{}");
    pictures_ = {{"pictures", Json::array({{{"title", "1.jpg"}, {"tiles", Json::array()}}})},
                 {"seed", 3},
                 {"left_out", {"<ignore>"}}};
    for (const char* viewer : {"labels", "kd", "pseudo"}) {
      pictures_["pictures"][0]["tiles"].push_back({{"file", "1.png"}, {"caption", viewer}});
    }
    pictures_["drawn_from"] = picture_sources(comparison_);
  }

  std::string html() const {
    folder_.write("pictures.json", pictures_.dump());
    return side_by_side_html(comparison_, folder_.path());
  }

  RunFolder folder_;
  Comparison comparison_ = comparison_of({{"kd", {0.5}}, {"pseudo", {0.4}}, {"ignore", {-1}}}, "pseudo");
  Json pictures_;
};

TEST_F(SideBySide, NamesTheSeedAndTheMethodsThatLackIt) {
  EXPECT_THAT(html(), HasSubstr("The students are those of seed 3. Without a finished run of it, and left out: "
                                "&lt;ignore&gt;.</p>"));
  pictures_.erase("left_out");
  EXPECT_THAT(html(), HasSubstr("The students are those of seed 3.</p>"));
}

TEST_F(SideBySide, ShowsOnlyWhatWasDrawnFromTheRunsOfTheComparison) {
  comparison_.runs[2].state = RunState::kDone;
  EXPECT_THAT(html(), HasSubstr("<h3>1.jpg</h3>")) << "a run more";
  comparison_.runs[0].state = RunState::kMissing;
  EXPECT_EQ(html(), "") << "kd's was taken away";
  comparison_.runs[0].state = RunState::kDone;
  std::filesystem::last_write_time(comparison_.runs[0].folder / "result.json",
                                   std::filesystem::file_time_type() + std::chrono::hours(1));
  EXPECT_EQ(html(), "") << "kd was trained anew";
}

TEST_F(SideBySide, ShowsNothingWithoutPicturesOrTheirSources) {
  EXPECT_EQ(side_by_side_html(comparison_, folder_.path() / "none"), "");
  pictures_.erase("drawn_from");
  EXPECT_EQ(html(), "");
  pictures_["drawn_from"] = picture_sources(comparison_);
  comparison_.baseline = "kd";
  EXPECT_EQ(html(), "") << "another baseline";
}

}  // namespace
}  // namespace conclave
