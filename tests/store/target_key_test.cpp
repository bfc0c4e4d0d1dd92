#include "store/target_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>

namespace conclave {
namespace {

// Everything that a key is made of.
struct Asked {
  ExpectedTeacher teacher{"wbc", "0123abcd", {"WBC"}, {}};
  SparseOptions sparse;
  ViewOptions views;
  std::vector<std::string> images = {"the bytes of a file"};
  TargetRequest request{{1, 2, 3}, "a.jpg", 640, 480};

  void make_mosaic() {
    views.mosaic = 1;
    for (const char* name : {"b", "c", "d"}) further(name);
  }
  void mix_in(const std::string& name) {
    views.mix = 1;
    further(name);
  }
  void further(const std::string& name) {
    images.push_back(name);
    request.further.push_back({name + ".jpg", 320, 200});
  }

  TargetKey key() const {
    std::vector<ImageContent> contents;
    for (const std::string& image : images) contents.push_back(image_content(image));
    return target_key(TeacherKey(teacher, sparse), contents, request, views);
  }
};

TEST(TargetKey, ChangesWithEverythingThatDecidesTheTargets) {
  const std::vector<std::function<void(Asked&)>> changes = {
      [](Asked& a) { a.teacher.hash = "0123abce"; },
      [](Asked& a) { a.teacher.engine.threads = 2; },
      [](Asked& a) { a.teacher.engine.bf16 = true; },
      [](Asked& a) { a.teacher.engine.channels_last = true; },
      [](Asked& a) { a.sparse.floor = 0.01f; },
      [](Asked& a) { a.sparse.boxes = BoxRule::kPeaks; },
      [](Asked& a) { a.sparse.box_floor = 0.5f; },
      [](Asked& a) { a.images[0] += "."; },
      [](Asked& a) { a.request.key.seed = 4; },
      [](Asked& a) { a.request.key.seed = kPlainView; },
      [](Asked& a) { a.views.width = 256; },
      [](Asked& a) { a.views.height = 256; },
      [](Asked& a) { a.views.scale_max = 2; },
      [](Asked& a) { a.views.shift = 0.2; },
      [](Asked& a) { a.views.brightness = 0; },
      [](Asked& a) { a.views.contrast = 0; },
      [](Asked& a) { a.views.saturation = 0; },
      [](Asked& a) { a.views.hue = 0.1; },
      [](Asked& a) { a.views.grey = 1; },
      [](Asked& a) { a.views.blur = 1; },
      [](Asked& a) { a.views.erase = 1; },
      [](Asked& a) { a.make_mosaic(); },
      [](Asked& a) {
        a.make_mosaic();
        a.images[3] += ".";
      },
      [](Asked& a) {
        a.make_mosaic();
        std::swap(a.images[1], a.images[2]);
      },
      [](Asked& a) {
        a.make_mosaic();
        a.request.further[1].width = 100;
      },
      [](Asked& a) {
        a.make_mosaic();
        a.views.mosaic_max = 3;
      },
      [](Asked& a) { a.mix_in("b"); },
      [](Asked& a) { a.mix_in("c"); },
      [](Asked& a) {
        a.mix_in("b");
        a.views.mix_min = 0.4;
      },
  };
  std::set<TargetKey> keys = {Asked{}.key()};
  for (const auto& change : changes) {
    Asked asked;
    change(asked);
    keys.insert(asked.key());
  }
  EXPECT_EQ(keys.size(), changes.size() + 1);
}

TEST(TargetKey, StaysWithWhatDoesNot) {
  const std::vector<std::function<void(Asked&)>> changes = {
      [](Asked& a) { a.request.key.dataset = 0; },      [](Asked& a) { a.request.key.image = 77; },
      [](Asked& a) { a.teacher.name = "white cells"; }, [](Asked& a) { a.teacher.engine.device = "cuda"; },
      [](Asked& a) { a.views.min_visible = 0.9; },      [](Asked& a) { a.views.blur_max = 10; },
      [](Asked& a) { a.views.mosaic = 1e-9; },
  };
  for (const auto& change : changes) {
    Asked asked;
    change(asked);
    EXPECT_EQ(asked.key(), Asked{}.key());
  }
}

TEST(TargetKey, OfThePlainViewIsTheSameHoweverTheOthersAreDrawn) {
  Asked a, b;
  a.request.key.seed = b.request.key.seed = kPlainView;
  b.views.flip = 0;
  b.views.scale_max = 3;
  b.views.contrast = 0.7;
  EXPECT_EQ(a.key(), b.key());
}

TEST(TargetKey, IsTheHashThatItsSpecificationGives) {  // worked out from STORE.md with Python's hashlib
  Asked asked;
  asked.request.key.seed = kPlainView;
  std::string digits;
  for (const std::uint8_t byte : asked.key().bytes) {
    digits += "0123456789abcdef"[byte >> 4];
    digits += "0123456789abcdef"[byte & 15];
  }
  EXPECT_EQ(digits, "bb7f7fd0059f89bdc4d1af5bdba91b96");
}

TEST(Description, SaysWhoseTargetsTheyAreInOneLine) {
  const Asked asked;
  const std::string text = describe(asked.teacher, asked.views, asked.sparse);
  EXPECT_THAT(text, testing::HasSubstr(R"("teacher":"wbc","hash":"0123abcd","classes":["WBC"])"));
  EXPECT_THAT(text, testing::HasSubstr(R"("floor":0.05,)"));
  EXPECT_EQ(text.find('\n'), std::string::npos);
}

}  // namespace
}  // namespace conclave
