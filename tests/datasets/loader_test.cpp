#include "datasets/loader.h"

#include <gmock/gmock.h>

#include <thread>

#include "dataset_folder.h"

namespace conclave {
namespace {

using ::testing::HasSubstr;

// Two sets; the second holds a damaged image in its middle. The first image takes far longer than the others.
class LoaderTest : public ::testing::Test {
 protected:
  LoaderTest() {
    options_.width = options_.height = 64;
    sets_.resize(2);
    add(0, "large.jpg", 1500, 1200);
    for (int i = 0; i < 5; ++i) add(0, "small" + std::to_string(i) + ".jpg", 60 + i, 50);
    add(1, "a.jpg", 64, 64);
    add(1, "damaged.jpg", 64, 64);
    add(1, "c.jpg", 64, 64);
    const std::string damaged = sets_[1].images[1].path;
    folder_.write("damaged.jpg", read_file(damaged).substr(0, 400));
  }

  void add(std::size_t set, const std::string& name, int width, int height) {
    ImageEntry entry;
    entry.path = folder_.write(name, gradient_picture(width, height));
    entry.width = width;
    entry.height = height;
    sets_[set].images.push_back(entry);
  }

  DatasetFolder folder_;
  std::vector<Dataset> sets_;
  ViewOptions options_;
};

TEST_F(LoaderTest, HandsOutViewsInAskingOrder) {
  Loader loader(sets_, options_, 3);
  std::vector<ViewKey> keys;
  for (std::uint32_t i = 0; i < 60; ++i) keys.push_back({0, i % 6, i * 13});
  for (const ViewKey& key : keys) loader.ask(key);
  for (const ViewKey& key : keys) {
    const View view = loader.take();
    ASSERT_EQ(view.key, key);
    EXPECT_EQ(view.pixels, draw_view(sets_[0].images[key.image], key, options_).pixels);
  }
}

TEST_F(LoaderTest, TakeWaitsForAnAskFromAnotherThread) {
  Loader loader(sets_, options_, 1);
  std::vector<ViewKey> taken;
  std::thread taker([&] {
    for (int i = 0; i < 4; ++i) taken.push_back(loader.take().key);
  });
  std::vector<ViewKey> keys;
  for (std::uint32_t i = 0; i < 4; ++i) keys.push_back({0, i + 1, i});
  for (const ViewKey& key : keys) loader.ask(key);
  taker.join();
  EXPECT_EQ(taken, keys);
}

TEST_F(LoaderTest, AnErrorIsThrownWhenItsOwnViewIsTaken) {
  Loader loader(sets_, options_, 2);
  for (std::uint32_t image = 0; image < 3; ++image) loader.ask({1, image, 5});
  EXPECT_EQ(loader.take().key.image, 0u);
  EXPECT_THAT(error_of([&] { loader.take(); }), HasSubstr("damaged.jpg"));
  EXPECT_EQ(loader.take().key.image, 2u);
}

TEST_F(LoaderTest, AViewThatDoesNotExistIsAnErrorAtTake) {
  Loader loader(sets_, options_, 2);
  loader.ask({1, 99, 5});
  loader.ask({7, 0, 5});
  loader.ask({0, 1, 5});
  EXPECT_THAT(error_of([&] { loader.take(); }), HasSubstr("image 99 of set 1"));
  EXPECT_THAT(error_of([&] { loader.take(); }), HasSubstr("set 7"));
  EXPECT_EQ(loader.take().key.image, 1u);
}

TEST_F(LoaderTest, CanBeDestroyedWithViewsNotTaken) {
  for (int threads = 1; threads <= 4; ++threads) {
    Loader loader(sets_, options_, threads);
    for (std::uint32_t i = 0; i < 40; ++i) loader.ask({0, i % 6, i});
    if (threads % 2) loader.take();
  }
  Loader unused(sets_, options_, 4);
}

TEST_F(LoaderTest, DrawsWithNoThreadsAskedForToo) {
  Loader loader(sets_, options_, 0);
  loader.ask({0, 2, 0});
  EXPECT_EQ(loader.take().key.image, 2u);
}

}  // namespace
}  // namespace conclave
