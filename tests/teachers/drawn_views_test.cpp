#include "teachers/drawn_views.h"

#include <memory>

#include "core/error.h"
#include "core/file.h"
#include "teachers/small_world.h"

namespace conclave {
namespace {

class DrawnViewsTest : public SmallWorld {
 protected:
  TakenLease lease(std::uint64_t session, int views) const {
    auto welcome = std::make_shared<Welcome>();
    welcome->session = session;
    welcome->views = views_;
    TakenLease taken{0, std::move(welcome), {}};
    for (int i = 0; i < views; ++i) taken.lease.views.push_back(request(i));
    return taken;
  }
};

TEST_F(DrawnViewsTest, ASecondTeacherOfAViewFindsItDrawn) {
  DrawnViews views("", 1u << 20);
  const TakenLease taken = lease(1, 3);
  std::vector<View> first;
  for (std::size_t i = 0; i < 3; ++i) first.push_back(views.draw(taken, i));
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(views.draw(taken, i).pixels, first[i].pixels);
  EXPECT_EQ(views.drawn(), 3u);
  views.draw(lease(2, 3), 0);  // of another session: it may be another image
  EXPECT_EQ(views.drawn(), 4u);
}

TEST_F(DrawnViewsTest, KeepsNoMoreThanItMay) {
  const std::size_t one = static_cast<std::size_t>(views_.width) * views_.height * 3;
  DrawnViews views("", 2 * one);
  const TakenLease taken = lease(1, 3);
  for (std::size_t i = 0; i < 3; ++i) views.draw(taken, i);
  views.draw(taken, 2);
  views.draw(taken, 1);
  EXPECT_EQ(views.drawn(), 3u);
  views.draw(taken, 0);  // the oldest was let go
  EXPECT_EQ(views.drawn(), 4u);
  DrawnViews none("", 0);
  none.draw(taken, 0);
  none.draw(taken, 0);
  EXPECT_EQ(none.drawn(), 2u);
}

TEST_F(DrawnViewsTest, AViewOfBytesHasTheBitsOfTheFiles) {
  TakenLease taken = lease(1, 2);
  DrawnViews views("", 0);
  const View file = views.draw(taken, 1);
  taken.lease.views[1].image = std::make_shared<const std::string>(read_file(request(1).path));
  taken.lease.views[1].path = "/nowhere.jpg";
  EXPECT_EQ(views.draw(taken, 1).pixels, file.pixels);
  taken.lease.views[1].image = std::make_shared<const std::string>("damaged");
  try {
    views.draw(taken, 1);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.where(), "/nowhere.jpg");
  }
}

TEST_F(DrawnViewsTest, RelativePathsAreBelowTheRoot) {
  TakenLease taken = lease(1, 1);
  taken.lease.views[0].path = "0.jpg";
  DrawnViews views(folder_.string(), 0);
  EXPECT_EQ(views.draw(taken, 0).pixels, DrawnViews("", 0).draw(lease(1, 1), 0).pixels);
}

}  // namespace
}  // namespace conclave
