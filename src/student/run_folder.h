#pragma once

#include <filesystem>
#include <string>

namespace conclave {

// What a run leaves behind and where.
struct RunFolder {
  std::filesystem::path root;

  std::filesystem::path config() const { return root / "config.yaml"; }    // resolved
  std::filesystem::path environment() const { return root / "env.json"; }  // machine and libraries
  std::filesystem::path metrics() const { return root / "metrics.jsonl"; }
  std::filesystem::path trace() const { return root / "trace.txt"; }
  std::filesystem::path events() const { return root / "tensorboard"; }
  std::filesystem::path best() const { return root / "weights" / "best.safetensors"; }
  std::filesystem::path last() const { return root / "weights" / "last.safetensors"; }
  std::filesystem::path checkpoints() const { return root / "checkpoint"; }
  std::filesystem::path status() const { return root / "status.json"; }   // of all ranks, while the run goes
  std::filesystem::path pseudo() const { return root / "pseudo.jsonl"; }  // student/pseudo_journal.h
  std::filesystem::path result() const { return root / "result.json"; }
  std::filesystem::path lock() const { return root / ".lock"; }  // held while a process trains here
};

// Makes the folder and its parts. Throws Error, having touched nothing, when it already holds a run (metrics, weights,
// a checkpoint, what teachers said or a result) and `resume` is false, or when the path is not a folder. Calling it
// again before training began is harmless: config.yaml and env.json alone are not a run.
RunFolder open_run_folder(const std::filesystem::path& root, bool resume);

// Keeps other processes from training in a folder, for as long as it lives or its process does. Throws Error (where =
// the folder) when another one does.
class RunLock {
 public:
  explicit RunLock(const RunFolder& folder);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

 private:
  int descriptor_;
};

// Whether another process holds the folder (RunLock). Throws Error when the file system doesn't tell.
bool somebody_trains_in(const std::filesystem::path& folder);

// Writes env.json: host, cores, LibTorch, device, threads.
void write_environment(const RunFolder& folder, const std::string& device, int threads);

}  // namespace conclave
