#include "student/run_folder.h"

#include <ATen/Parallel.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/utsname.h>
#include <torch/version.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/error.h"
#include "core/file.h"

namespace conclave {
namespace {

namespace fs = std::filesystem;

bool holds_run(const RunFolder& folder) {
  std::error_code failure;
  const auto has_entries = [&](const fs::path& path) {
    return fs::is_directory(path, failure) && fs::directory_iterator(path, failure) != fs::directory_iterator();
  };
  return fs::exists(folder.metrics(), failure) || fs::exists(folder.result(), failure) ||
         fs::exists(folder.pseudo(), failure) || has_entries(folder.best().parent_path()) ||
         has_entries(folder.checkpoints());
}

}  // namespace

RunFolder open_run_folder(const fs::path& root, bool resume) {
  const RunFolder folder{root};
  if (root.empty()) throw Error("no output folder is given", "run", "set `run`", Exit::kUsage);
  if (fs::exists(root) && !fs::is_directory(root)) throw Error("is not a folder", root.string());
  if (!resume && holds_run(folder)) {
    throw Error("the folder already holds a run", root.string(),
                "continue it with --resume, or choose another folder with run=PATH");
  }
  for (const fs::path& part : {root, folder.best().parent_path(), folder.checkpoints()}) {
    std::error_code failure;
    fs::create_directories(part, failure);
    if (failure) throw Error("can't make the folder: " + failure.message(), part.string());
  }
  return folder;
}

RunLock::RunLock(const RunFolder& folder)
    : descriptor_(::open(folder.lock().c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644)) {
  if (descriptor_ < 0) throw Error(std::string("can't write here: ") + std::strerror(errno), folder.root.string());
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return;
  ::close(descriptor_);
  throw Error("another process trains in this folder", folder.root.string(),
              "wait for it or stop it, or choose another folder with run=PATH");
}

RunLock::~RunLock() {
  ::close(descriptor_);
}

bool somebody_trains_in(const fs::path& folder) {
  const int file = ::open(RunFolder{folder}.lock().c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0 && (errno == ENOENT || errno == ENOTDIR)) return false;
  const bool locked = file >= 0 && ::flock(file, LOCK_EX | LOCK_NB) == 0;
  const int why = errno;
  if (file >= 0) ::close(file);
  if (locked) return false;
  if (file >= 0 && why == EWOULDBLOCK) return true;
  throw Error(std::string("can't tell whether another process trains here: ") + std::strerror(why), folder.string(),
              "it must be a folder that you may write to, on a file system with locks");
}

void write_environment(const RunFolder& folder, const std::string& device, int threads) {
  utsname system{};
  ::uname(&system);
  const nlohmann::ordered_json environment = {
      {"host", system.nodename},   {"system", std::string(system.sysname) + " " + system.release},
      {"machine", system.machine}, {"cores", std::thread::hardware_concurrency()},
      {"libtorch", TORCH_VERSION}, {"compiler", __VERSION__},
      {"device", device},          {"threads", threads}};
  write_file_atomically(folder.environment(), environment.dump(2) + "\n");
}

}  // namespace conclave
