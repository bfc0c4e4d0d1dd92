#include "teachers/frame.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/random.h"

namespace conclave {
namespace {

Hello hello() {
  Hello frame;
  frame.instance = 0x0123456789abcdef;
  frame.worker = "host:1";
  frame.teachers.push_back({"rbc", std::string(64, 'a'), {"RBC", "Zellk\xc3\xb6rper"}, {}});
  frame.teachers.push_back({"wbc", std::string(64, 'b'), {"WBC"}, {}});
  frame.teachers[1].engine.bf16 = true;
  return frame;
}

Lease lease() {
  Lease frame;
  frame.session = 4;
  frame.number = 5;
  frame.id = 7;
  frame.token = 9;
  frame.teacher = 1;
  for (std::uint32_t i = 0; i < 3; ++i)
    frame.views.push_back({{0, i, i * 99ull}, "images/" + std::to_string(i) + ".jpg", 640, 480});
  frame.views[1].image = std::make_shared<const std::string>("encoded \0 bytes");
  frame.views[2].image = std::make_shared<const std::string>();
  frame.views[2].further = {{"images/7.jpg", 320, 200}, {"images/8.jpg", 64, 48, frame.views[1].image}};
  return frame;
}

Welcome welcome() {
  Welcome frame;
  frame.session = 5;
  frame.max_lease = 12345;
  frame.views.width = 256;
  frame.views.flip = 0.25;
  frame.views.mosaic = 0.5;
  frame.views.mosaic_min = 0.25;
  frame.views.mix = 0.125;
  frame.views.blur = 0.75;
  frame.views.erase = 0.1;
  frame.views.grey = 0.2;
  frame.views.hue = 0.05;
  frame.sparse = {0.5f, BoxRule::kPeaks, 0.75f};
  frame.heartbeat_seconds = 0.5;
  return frame;
}

std::vector<std::string> one_of_each() {
  return {encode(hello()),
          encode(welcome()),
          encode(Refusal{"no\n  hint: yes"}),
          encode(Credit{1, 2, 1ull << 40}),
          encode(lease()),
          encode(Result{1, 2, 3, {"abc", "", "de"}}),
          encode(Failure{1, 2, 3, 1, "a.jpg: broken"}),
          encode(Heartbeat{1, 2, {"tcp://a:1", "tcp://b:2"}}),
          encode(Goodbye{}),
          encode(Stranger{})};
}

std::string again(const Frame& frame) {
  return std::visit(
      [](const auto& f) -> std::string {
        if constexpr (std::is_same_v<std::decay_t<decltype(f)>, OtherVersion>)
          return "other";
        else
          return encode(f);
      },
      frame);
}

TEST(Frame, EveryTypeRoundTrips) {
  EXPECT_EQ(std::get<Hello>(parse_frame(encode(hello()))), hello());
  EXPECT_EQ(std::get<Lease>(parse_frame(encode(lease()))), lease());
  EXPECT_EQ(std::get<Welcome>(parse_frame(encode(welcome()))), welcome());
  const Heartbeat heartbeat{1, 2, {"tcp://a:1", "tcp://b:2"}};
  EXPECT_EQ(std::get<Heartbeat>(parse_frame(encode(heartbeat))), heartbeat);
  for (const std::string& bytes : one_of_each()) EXPECT_EQ(again(parse_frame(bytes)), bytes);
}

TEST(Frame, EveryTruncationAndEveryByteThatFollowsIsAnError) {
  for (const std::string& bytes : one_of_each()) {
    for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_THROW(parse_frame(bytes.substr(0, size)), Error);
    EXPECT_THROW(parse_frame(bytes + '\0'), Error);
  }
}

TEST(Frame, DamagedFramesAreErrorsOrMeanWhatTheySay) {
  CounterRandom random(3);
  for (const std::string& bytes : one_of_each()) {
    for (int i = 0; i < 3000; ++i) {
      std::string damaged = bytes;
      damaged[random.below(static_cast<std::uint32_t>(bytes.size()))] = static_cast<char>(random.next());
      try {
        const Frame frame = parse_frame(damaged);
        if (std::holds_alternative<OtherVersion>(frame) || std::holds_alternative<Refusal>(frame)) continue;
        EXPECT_EQ(again(frame), damaged);
      } catch (const Error&) {
      }
    }
  }
}

TEST(Frame, RandomBytesAreErrors) {
  CounterRandom random(5);
  for (int i = 0; i < 5000; ++i) {
    std::string bytes(random.below(200), ' ');
    for (char& byte : bytes) byte = static_cast<char>(random.next());
    EXPECT_THROW(parse_frame(bytes), Error);
  }
}

TEST(Frame, AnotherVersionIsRecognisedWhateverFollows) {
  std::string bytes = encode(hello());
  bytes[4] = 1;
  bytes.resize(9);
  EXPECT_EQ(std::get<OtherVersion>(parse_frame(bytes)).version, 1);
}

TEST(Frame, ARefusalOfAnotherVersionCanBeRead) {
  std::string bytes = encode(Refusal{"too old"});
  bytes[4] = 1;
  EXPECT_EQ(std::get<Refusal>(parse_frame(bytes)).reason, "too old");
}

TEST(Frame, LongReasonsAreCutAndLongPathsRefused) {
  const auto failure = std::get<Failure>(parse_frame(encode(Failure{1, 2, 3, 0, std::string(100000, 'x')})));
  EXPECT_EQ(failure.reason.size(), frame_limits::kReason);
  Lease frame = lease();
  frame.views[1].path = std::string(5000, 'p');
  EXPECT_THROW(encode(frame), Error);
}

TEST(Frame, SizesAreKnownBeforeAFrameIsMade) {
  EXPECT_EQ(lease_bytes(lease().views), encode(lease()).size());
  EXPECT_EQ(largest_result(3, 1000),
            encode(Result{1, 2, 3, std::vector<std::string>(3, std::string(1000, 'r'))}).size());
}

TEST(Frame, AnImageThatAnnouncesMoreBytesThanThereAreTakesNoMemory) {
  Lease frame = lease();
  frame.views.resize(2);
  std::string bytes = encode(frame);
  const std::size_t size = bytes.size() - frame.views[1].image->size() - 4;
  bytes.replace(size, 4, "\xff\xff\xff\xff");
  EXPECT_THROW(parse_frame(bytes), Error);
}

TEST(Frame, ControlCharactersNeverReachTheLog) {
  Hello frame = hello();
  frame.worker = "\x1b[2J";
  EXPECT_THROW(parse_frame(encode(frame)), Error);
}

}  // namespace
}  // namespace conclave
