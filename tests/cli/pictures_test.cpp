#include "cli/pictures.h"

#include <gmock/gmock.h>

#include <opencv2/core.hpp>

#include "datasets/image_io.h"
#include "support/temporary_folder.h"

namespace conclave {
namespace {

TEST(Pictures, EveryOnlookerIsShownViewsOfItsOwnSize) {
  TemporaryFolder folder;
  const std::string image = (folder / "a.png").string();
  write_image(image, cv::Mat(48, 64, CV_8UC3, cv::Scalar::all(90)));
  const Dataset set{"s", {"x"}, {true}, {{image, 64, 48, 1, {}}}};
  RunOptions options;
  options.classes = {"x"};
  options.views.width = 128;
  options.views.height = 96;
  ViewOptions small = options.views;
  small.width = small.height = 64;
  std::vector<std::vector<std::int64_t>> sizes;
  const auto open = [&]() -> RunNetwork {
    return [&](const at::Tensor& pixels) {
      sizes.push_back({pixels.size(1), pixels.size(2)});
      const std::int64_t height = pixels.size(1) / 4, width = pixels.size(2) / 4;
      NetworkAnswer answer;
      answer.heads = {at::full({1, 1, height, width}, -9.0f), at::ones({1, 2, height, width}),
                      at::zeros({1, 2, height, width})};
      return answer;
    };
  };
  const auto json = draw_pictures(set, {{0, ""}}, {{"one", open, {0}, {0.3}, {}}, {"two", open, {0}, {0.3}, small}},
                                  options, folder.path());
  EXPECT_THAT(sizes, testing::ElementsAre(testing::ElementsAre(96, 128), testing::ElementsAre(64, 64)));
  EXPECT_EQ(json["pictures"][0]["tiles"].size(), 3u);
}

}  // namespace
}  // namespace conclave
