#include "core/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "core/error.h"

namespace conclave {
namespace {

namespace fs = std::filesystem;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const { return fd_; }
  int close() {
    const int result = fd_ >= 0 ? ::close(fd_) : 0;
    fd_ = -1;
    return result;
  }

 private:
  int fd_;
};

[[noreturn]] void fail(const std::string& doing, const fs::path& path, const std::string& hint = {}) {
  const int code = errno;
  throw Error(doing + ": " + std::strerror(code), path.string(),
              code == ENOSPC || code == EDQUOT ? "free some space on this disk" : hint);
}

int open_retrying(const char* path, int flags, mode_t mode = 0) {
  int fd;
  do fd = ::open(path, flags | O_CLOEXEC, mode);
  while (fd < 0 && errno == EINTR);
  return fd;
}

void write_all(int fd, std::span<const std::byte> bytes, const fs::path& path) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), std::min<std::size_t>(bytes.size(), std::size_t{1} << 30));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("can't write", path);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
}

void sync_folder_of(const fs::path& path) {
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  Descriptor fd(open_retrying(folder.c_str(), O_RDONLY | O_DIRECTORY));
  if (fd.get() >= 0) ::fsync(fd.get());  // some file systems don't support it; the file itself is safe
}

void write_aside(const fs::path& aside, std::span<const std::byte> bytes, const fs::path& path) {
  Descriptor fd(open_retrying(aside.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666));
  if (fd.get() < 0) fail("can't create the file", path);
  write_all(fd.get(), bytes, path);
  if (::fsync(fd.get()) != 0) fail("can't sync", path);
  if (fd.close() != 0) fail("can't close", path);
}

}  // namespace

std::string read_file(const fs::path& path, std::size_t limit) {
  Descriptor fd(open_retrying(path.c_str(), O_RDONLY));
  if (fd.get() < 0) fail("can't open the file", path);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) fail("can't read the file", path);
  if (S_ISDIR(info.st_mode)) throw Error("this is a folder, not a file", path.string());
  const auto too_large = [&] {
    return Error("the file is larger than the " + std::to_string(limit) + " bytes allowed here", path.string());
  };
  const std::size_t stated = S_ISREG(info.st_mode) ? static_cast<std::size_t>(info.st_size) : 0;
  if (stated > limit) throw too_large();

  // One byte more than stated, so that the end is seen without growing.
  std::string text(stated + 1, '\0');
  std::size_t size = 0;
  for (;;) {
    const ssize_t n = ::read(fd.get(), text.data() + size, text.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("can't read the file", path);
    if (n == 0) break;
    size += static_cast<std::size_t>(n);
    if (size > limit) throw too_large();
    if (size == text.size()) text.resize(2 * size + 4096);
  }
  text.resize(size);
  return text;
}

void write_file_atomically(const fs::path& path, std::span<const std::byte> bytes) {
  const fs::path aside = path.string() + ".tmp-" + std::to_string(::getpid());
  try {
    write_aside(aside, bytes, path);
    if (std::rename(aside.c_str(), path.c_str()) != 0) fail("can't replace the file", path);
  } catch (...) {
    ::unlink(aside.c_str());
    throw;
  }
  sync_folder_of(path);
}

void write_file_atomically(const fs::path& path, const std::string& text) {
  write_file_atomically(path, std::as_bytes(std::span(text)));
}

}  // namespace conclave
