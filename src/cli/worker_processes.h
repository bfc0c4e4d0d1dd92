#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "student/options.h"

namespace conclave {

// The local workers of a run: this program as child processes, `conclave teach …`, each with a log file. A worker that
// is killed by a signal is started again (unless it died within seconds five times in a row); one that ends with an
// error is not, and when a teacher has no worker left for that reason, the whole run is asked to stop and failure()
// says why.
class WorkerProcesses {
 public:
  // Starts teacher.workers processes per teacher, connected to `address`; logs to folder/NAME-N.log. Where the trainer
  // has keys they use its own: its .key file where it lies, and folder/trainer.pub, written here.
  WorkerProcesses(const std::vector<TeacherOptions>& teachers, const std::string& address, std::filesystem::path folder,
                  const TrainerKeys& keys);
  ~WorkerProcesses();  // asks them to stop (SIGTERM), waits 10 s, then kills

  // Why a teacher lost all its workers; empty while all is well. Thread-safe.
  std::string failure() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace conclave
