#include "teachers/frame.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/random.h"

namespace conclave {
namespace {

Hello hello() {
  Hello frame;
  frame.instance = 0x0123456789abcdef;
  frame.teacher = "rbc";
  frame.hash = std::string(64, 'a');
  frame.classes = {"RBC", "Zellk\xc3\xb6rper"};
  frame.engine.bf16 = true;
  frame.capacity = 3;
  frame.worker = "host:1";
  return frame;
}

Lease lease() {
  Lease frame;
  frame.id = 7;
  frame.token = 9;
  for (std::uint32_t i = 0; i < 3; ++i)
    frame.views.push_back({{0, i, i * 99ull}, "images/" + std::to_string(i) + ".jpg", 640, 480});
  return frame;
}

std::vector<std::string> one_of_each() {
  return {encode(hello()),
          encode(Welcome{5, {}, {}, 0.5}),
          encode(Refusal{"no\n  hint: yes"}),
          encode(Credit{2}),
          encode(lease()),
          encode(Result{1, 2, 3, {"abc", "", "de"}}),
          encode(Failure{1, 2, 3, "a.jpg: broken"}),
          encode(Heartbeat{}),
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
  ViewOptions views;
  views.width = 256;
  views.flip = 0.25;
  const Welcome welcome{5, views, {0.5f, BoxRule::kPeaks}, 0.5};
  EXPECT_EQ(std::get<Welcome>(parse_frame(encode(welcome))), welcome);
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
  bytes[4] = 2;
  bytes.resize(9);
  EXPECT_EQ(std::get<OtherVersion>(parse_frame(bytes)).version, 2);
}

TEST(Frame, ARefusalOfAnotherVersionCanBeRead) {
  std::string bytes = encode(Refusal{"too old"});
  bytes[4] = 2;
  EXPECT_EQ(std::get<Refusal>(parse_frame(bytes)).reason, "too old");
}

TEST(Frame, LongReasonsAreCutAndLongPathsRefused) {
  const auto failure = std::get<Failure>(parse_frame(encode(Failure{1, 2, 3, std::string(100000, 'x')})));
  EXPECT_EQ(failure.reason.size(), frame_limits::kReason);
  Lease frame = lease();
  frame.views[1].path = std::string(5000, 'p');
  EXPECT_THROW(encode(frame), Error);
}

TEST(Frame, ControlCharactersNeverReachTheLog) {
  Hello frame = hello();
  frame.worker = "\x1b[2J";
  EXPECT_THROW(parse_frame(encode(frame)), Error);
}

}  // namespace
}  // namespace conclave
