#include "models/spec.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "core/error.h"
#include "model_files.h"
#include "models/detector.h"

namespace conclave {
namespace {

TEST(Spec, ComesBackFromItsMetadata) {
  ModelSpec spec = small_spec();
  spec.architecture.backbone = "resnet50";
  spec.mean = {0.1f, 1e-9f, 1.0f / 3};
  const ModelSpec back = from_metadata(to_metadata(spec), "file");
  EXPECT_EQ(back.architecture, spec.architecture);
  EXPECT_EQ(back.classes, spec.classes);
  EXPECT_EQ(back.width, 96);
  EXPECT_EQ(back.height, 64);
  EXPECT_EQ(back.mean, spec.mean);
  EXPECT_EQ(back.std, spec.std);
}

TEST(Spec, AWidthAndHeightPerClassAreWrittenAndMakeTwoChannelsPerClass) {
  ModelSpec spec = small_spec();
  EXPECT_FALSE(to_metadata(spec).contains("wh"));
  spec.architecture.wh_per_class = true;
  auto metadata = to_metadata(spec);
  EXPECT_TRUE(from_metadata(metadata, "file").architecture.wh_per_class);
  const HeadOutputs heads = make_detector(spec)->forward(torch::zeros({1, 3, 64, 96}));
  EXPECT_EQ(heads.wh.size(1), 2 * static_cast<std::int64_t>(spec.classes.size()));
  metadata["wh"] = "both";
  EXPECT_THROW(from_metadata(metadata, "file"), Error);
}

TEST(Spec, NamesTheEntryThatIsMissing) {
  for (const auto& [key, value] : to_metadata(small_spec())) {
    auto metadata = to_metadata(small_spec());
    metadata.erase(key);
    try {
      from_metadata(metadata, "teacher.safetensors");
      FAIL() << key;
    } catch (const Error& error) {
      EXPECT_EQ(error.where(), "teacher.safetensors");
      EXPECT_NE(std::string(error.what()).find("'" + key + "'"), std::string::npos) << error.what();
    }
  }
}

TEST(Spec, RefusesBadEntries) {
  const std::pair<const char*, const char*> bad[] = {
      {"format", "pt"},
      {"backbone", "vgg"},
      {"width", "16.5"},
      {"width", "99999999999"},
      {"width", "-1"},
      {"width", "1000000"},
      {"neck", ""},
      {"neck_channels", "1,2"},
      {"neck_channels", "1,2,3,"},
      {"neck_channels", "1,2,x"},
      {"skip", "yes"},
      {"head_channels", "0"},
      {"classes", "[]"},
      {"classes", "[1]"},
      {"classes", "cat"},
      {"classes", "[\"a\",\"a\"]"},
      {"input_size", "96,65"},
      {"input_size", "0,64"},
      {"input_size", "96"},
      {"mean", "nan,0,0"},
      {"std", "1,0,1"},
      {"std", "1,1,inf"},
      {"input_size", "96,2000000"},
  };
  for (const auto& [key, value] : bad) {
    auto metadata = to_metadata(small_spec());
    metadata[key] = value;
    EXPECT_THROW(from_metadata(metadata, "file"), Error) << key << " = " << value;
  }
}

}  // namespace
}  // namespace conclave
