#pragma once

#include <stdexcept>
#include <string>

namespace conclave {

// How a process ends. The README lists them for users; nothing else is ever returned.
enum class Exit : int {
  kOk = 0,
  kFailure = 1,       // the work could not be done (data, files, network, a peer)
  kUsage = 2,         // the command line or a configuration is wrong; nothing was started
  kStalled = 3,       // a teacher had no worker for stall_timeout; a checkpoint was written
  kDiverged = 4,      // the loss was not finite; the last good checkpoint is kept
  kRankLost = 5,      // another rank of the training died or hung; the last checkpoint is kept
  kInterrupted = 130  // SIGINT or SIGTERM; a checkpoint was written
};

// The one exception of the project: what is wrong, where (file:line:column, image, field, peer) and what to do about
// it. what() joins the three: "where: what\n  hint: ...". Empty parts are left out.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& what_is_wrong, const std::string& where = {}, const std::string& hint = {},
                 Exit exit = Exit::kFailure);

  const std::string& where() const { return where_; }
  const std::string& hint() const { return hint_; }
  Exit exit() const { return exit_; }

 private:
  std::string where_;
  std::string hint_;
  Exit exit_;
};

}  // namespace conclave
