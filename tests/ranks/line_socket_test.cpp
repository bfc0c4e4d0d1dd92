#include "ranks/line_socket.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace conclave {
namespace {

// Two ends of a connection over the loopback.
struct Ends {
  Ends() {
    int port = 0;
    const int listening = listen_on("127.0.0.1", port);
    near = LineSocket("127.0.0.1", port, 5);
    pollfd waiting{listening, POLLIN, 0};
    ::poll(&waiting, 1, 5000);
    far = LineSocket(::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC));
    ::close(listening);
  }

  std::vector<std::string> receive() {
    pollfd waiting{far.descriptor(), POLLIN, 0};
    ::poll(&waiting, 1, 5000);
    return far.receive();
  }

  LineSocket near{-1}, far{-1};
};

TEST(LineSocket, CarriesLinesAndJoinsTornOnes) {
  Ends ends;
  ends.near.send("one");
  ends.near.send("two\nwith a break");
  std::vector<std::string> lines;
  while (lines.size() < 2) {
    for (std::string& line : ends.receive()) lines.push_back(line);
  }
  EXPECT_EQ(lines, (std::vector<std::string>{"one", "two with a break"}));
  ASSERT_EQ(::send(ends.near.descriptor(), "ab", 2, 0), 2);
  EXPECT_TRUE(ends.receive().empty());
  ASSERT_EQ(::send(ends.near.descriptor(), "c\n", 2, 0), 2);
  EXPECT_EQ(ends.receive(), std::vector<std::string>{"abc"});
}

TEST(LineSocket, GivesWhatArrivedBeforeThePeerClosed) {
  Ends ends;
  ends.near.send("last words");
  ends.near = LineSocket(-1);
  std::vector<std::string> lines;
  while (ends.far.open()) {
    for (std::string& line : ends.receive()) lines.push_back(line);
  }
  EXPECT_EQ(lines, std::vector<std::string>{"last words"});
}

TEST(LineSocket, ClosesOnALineThatNeverEnds) {
  Ends ends;
  const std::string garbage(4096, 'x');
  for (int i = 0; i < 64 && ends.far.open(); ++i) {
    ::send(ends.near.descriptor(), garbage.data(), garbage.size(), MSG_NOSIGNAL);
    EXPECT_TRUE(ends.receive().empty());
  }
  EXPECT_FALSE(ends.far.open());
}

TEST(LineSocket, FindsTheAddressThatAPeerSees) {
  EXPECT_FALSE(address_towards("127.0.0.1").empty());
  EXPECT_FALSE(address_towards("no.such.host.invalid").empty()) << "some address, rather than none";
}

}  // namespace
}  // namespace conclave
