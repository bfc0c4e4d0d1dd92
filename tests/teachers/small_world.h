#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <opencv2/core/mat.hpp>
#include <string>
#include <vector>

#include "core/random.h"
#include "datasets/image_io.h"
#include "datasets/view_recipe.h"
#include "models/weights.h"
#include "teachers/engine.h"
#include "teachers/target_source.h"

namespace conclave {

// A temporary folder with a few noisy images and two width-8 teachers, removed at the end.
class SmallWorld : public ::testing::Test {
 protected:
  void SetUp() override {
    static int count = 0;
    folder_ = std::filesystem::temp_directory_path() /
              ("conclave-teachers-" + std::to_string(::getpid()) + "-" + std::to_string(count++));
    std::filesystem::create_directories(folder_);
    for (int i = 0; i < kImages; ++i) {
      cv::Mat image(60 + 4 * i, 80, CV_8UC3);
      CounterRandom random(static_cast<std::uint64_t>(i));
      for (int y = 0; y < image.rows; ++y) {
        for (int x = 0; x < image.cols * 3; ++x) image.ptr(y)[x] = static_cast<std::uint8_t>(random.below(256));
      }
      write_image(image_path(i), image);
    }
    make_teacher("rbc", {"RBC"}, 1);
    make_teacher("wbc", {"WBC", "Platelets"}, 2);
    views_.width = views_.height = 64;
    sparse_.boxes = BoxRule::kPeaks;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void make_teacher(const std::string& name, const std::vector<std::string>& classes, std::uint64_t seed) const {
    ModelSpec spec;
    spec.architecture.width = 8;
    spec.architecture.neck_channels = {16, 16, 16};
    spec.architecture.head_channels = 16;
    spec.classes = classes;
    spec.width = spec.height = 64;
    save_detector(weights(name), spec, state_of(*make_detector(spec, seed)));
  }

  std::filesystem::path weights(const std::string& name) const { return folder_ / (name + ".safetensors"); }
  std::string image_path(int i) const { return (folder_ / (std::to_string(i) + ".jpg")).string(); }
  TargetRequest request(int i) const {
    const int image = i % kImages;
    TargetRequest request{{0, static_cast<std::uint32_t>(image), static_cast<std::uint64_t>(i) + 1},
                          image_path(image),
                          80,
                          60 + 4 * image};
    for (const std::uint32_t other : further_images(request.key, kImages, views_)) {
      request.further.push_back({image_path(static_cast<int>(other)), 80, 60 + 4 * static_cast<int>(other)});
    }
    return request;
  }

  static constexpr int kImages = 5;
  std::filesystem::path folder_;
  ViewOptions views_;
  SparseOptions sparse_;
};

}  // namespace conclave
