#include "teachers/curve.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <sstream>
#include <zmq.hpp>

#include "core/error.h"
#include "core/file.h"
#include "teachers/allow_list.h"
#include "teachers/zap.h"

namespace conclave {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kKeyCharacters = 40;
constexpr std::size_t kMaxKeyFile = 4096;  // bytes

using Z85 = std::array<char, kKeyCharacters + 1>;

void wipe(char* text, std::size_t size) {
  ::explicit_bzero(text, size);
}

bool is_key(const std::string& text) {
  std::array<std::uint8_t, 32> bytes;
  const bool valid = text.size() == kKeyCharacters && zmq_z85_decode(bytes.data(), text.c_str()) != nullptr;
  ::explicit_bzero(bytes.data(), bytes.size());
  return valid;
}

struct KeyLine {
  std::string kind;  // public or secret
  std::string key;
  ~KeyLine() { wipe(key.data(), key.size()); }
};

// What the file holds besides comments must be one line: a word and a key. No error shows any of it.
KeyLine read_key_line(const fs::path& path, const std::string& wanted) {
  const std::string hint = "conclave keys new --out FOLDER/NAME makes NAME.key (secret) and NAME.pub (public)";
  std::string text = read_file(path, kMaxKeyFile);
  std::istringstream in(text);
  KeyLine found;
  int lines = 0;
  for (std::string line; std::getline(in, line); wipe(line.data(), line.size())) {
    if (line.find_first_not_of(" \t\r") == std::string::npos || line.front() == '#') continue;
    std::istringstream words(line);
    std::string rest;
    words >> found.kind >> found.key >> rest;
    lines += rest.empty() ? 1 : 2;
  }
  wipe(text.data(), text.size());
  if (lines != 1 || (found.kind != "public" && found.kind != "secret") || !is_key(found.key)) {
    throw Error("this is not a key file: it must hold `" + wanted + "` and 40 characters of Z85 on one line",
                path.string(), hint);
  }
  return found;
}

void check_private(const fs::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0 || info.st_uid != ::getuid() || (info.st_mode & 077) == 0) return;
  throw Error("others than its owner may read this secret key", path.string(), "chmod 600 " + path.string());
}

// Creates the file; throws when it exists. `mode`: who may read it.
void write_new(const fs::path& path, const std::string& text, mode_t mode) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (fd < 0) {
    if (errno == EEXIST)
      throw Error("exists already; a key is never overwritten", path.string(), "choose another name");
    throw Error(std::string("can't create the file: ") + std::strerror(errno), path.string());
  }
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
  const std::string why = std::strerror(errno);
  ::close(fd);
  if (written) return;
  ::unlink(path.c_str());
  throw Error("can't write: " + why, path.string());
}

std::string public_text(const std::string& name, const std::string& key) {
  return "# Public key of '" + name + "'. Give it to those who shall trust it.\npublic " + key + "\n";
}

std::string public_of(const SecretKey& secret) {
  Z85 key{};
  if (zmq_curve_public(key.data(), secret.z85().c_str()) != 0) throw Error("can't compute the public key");
  return std::string(key.data(), kKeyCharacters);
}

}  // namespace

SecretKey::~SecretKey() {
  wipe(z85_.data(), z85_.size());
}

void require_curve() {
  if (zmq_has("curve") == 1) return;
  throw Error("this build of ZeroMQ has no CURVE, so keys can't be used", "libzmq",
              "install a libzmq that was built with libsodium (Debian's is)");
}

KeyPair make_key_pair() {
  require_curve();
  Z85 open{}, hidden{};
  if (zmq_curve_keypair(open.data(), hidden.data()) != 0) throw Error("can't make a key pair");
  KeyPair pair{std::string(open.data(), kKeyCharacters), SecretKey(std::string(hidden.data(), kKeyCharacters))};
  wipe(hidden.data(), hidden.size());
  return pair;
}

void write_key_pair(const fs::path& stem, const KeyPair& pair) {
  const std::string name = stem.filename().string();
  if (name.empty() || name == "." || name == "..") {
    throw Error("names no key", stem.string(), "give FOLDER/NAME");
  }
  const fs::path hidden = stem.string() + ".key", open = stem.string() + ".pub";
  if (fs::exists(open)) throw Error("exists already; a key is never overwritten", open.string(), "choose another name");
  if (stem.has_parent_path()) {
    std::error_code failed;
    fs::create_directories(stem.parent_path(), failed);
    if (failed) throw Error("can't make the folder: " + failed.message(), stem.parent_path().string());
  }
  std::string text = "# Secret key of '" + name + "'. Keep it on its host; nobody else may read it.\nsecret " +
                     pair.secret.z85() + "\n";
  try {
    write_new(hidden, text, 0600);
  } catch (...) {
    wipe(text.data(), text.size());
    throw;
  }
  wipe(text.data(), text.size());
  try {
    write_new(open, public_text(name, pair.public_key), 0644);
  } catch (...) {
    ::unlink(hidden.c_str());
    throw;
  }
}

void write_public_key(const fs::path& path, const std::string& public_key) {
  write_file_atomically(path, public_text(path.stem().string(), public_key));
}

KeyPair load_key_pair(const fs::path& path) {
  require_curve();
  const KeyLine line = read_key_line(path, "secret");
  if (line.kind != "secret") {
    throw Error("this is a public key; the secret one is needed here", path.string(), "name the .key file");
  }
  check_private(path);
  SecretKey secret(line.key);
  return {public_of(secret), secret};
}

std::string load_public_key(const fs::path& path) {
  const KeyLine line = read_key_line(path, "public");
  if (line.kind != "public") {
    throw Error("this is a secret key; the public one is needed here", path.string(),
                "name the .pub file, and keep the .key file on its own host");
  }
  return line.key;
}

void secure_server(zmq::socket_t& socket, const KeyPair& trainer) {
  socket.set(zmq::sockopt::curve_server, true);
  socket.set(zmq::sockopt::curve_secretkey, trainer.secret.z85());
  socket.set(zmq::sockopt::zap_domain, kZapDomain);
}

void secure_client(zmq::socket_t& socket, const WorkerKeys& keys) {
  if (keys.secret.empty() && keys.trainer.empty()) return;
  if (keys.secret.empty() || keys.trainer.empty()) {
    throw Error(keys.secret.empty() ? "the trainer's key is given, but none of the worker's own"
                                    : "the worker's key is given, but not the trainer's",
                "keys", "--key worker.key and --trainer-key trainer.pub belong together", Exit::kUsage);
  }
  const KeyPair own = load_key_pair(keys.secret);
  socket.set(zmq::sockopt::curve_serverkey, load_public_key(keys.trainer));
  socket.set(zmq::sockopt::curve_publickey, own.public_key);
  socket.set(zmq::sockopt::curve_secretkey, own.secret.z85());
}

bool reaches_other_hosts(const std::string& address) {
  if (address.rfind("ipc://", 0) == 0 || address.rfind("inproc://", 0) == 0) return false;
  if (address.rfind("tcp://", 0) != 0) return true;
  const std::size_t colon = address.rfind(':');
  const std::string host = address.substr(6, colon - 6);
  if (host == "[::1]" || host == "::1") return false;
  in_addr ip{};
  return ::inet_pton(AF_INET, host.c_str(), &ip) != 1 || ntohl(ip.s_addr) >> 24 != 127;
}

void check_trainer_keys(const std::string& address, const TrainerKeys& keys) {
  const auto begins = [&](const char* scheme) { return address.rfind(scheme, 0) == 0; };
  if (!begins("tcp://") && !begins("ipc://") && !begins("inproc://")) {
    throw Error("is no address: give tcp://HOST:PORT (* picks a port) or ipc://PATH", address, {}, Exit::kUsage);
  }
  if (!keys.secret.empty()) {
    load_key_pair(keys.secret);
    AllowList{keys.allow};
    return;
  }
  if (!keys.allow.empty()) {
    throw Error("workers' keys are allowed, but the trainer has none of its own", "service.keys.secret",
                "make one: conclave keys new --out keys/trainer", Exit::kUsage);
  }
  if (!reaches_other_hosts(address) || keys.insecure) return;
  throw Error("other hosts reach this address, and without keys everybody there could answer as a teacher", address,
              "make keys (conclave keys --help) and set service.keys; or bind to tcp://127.0.0.1:*; or accept it with "
              "--insecure in a network that you trust",
              Exit::kUsage);
}

}  // namespace conclave
