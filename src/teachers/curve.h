#pragma once

#include <filesystem>
#include <string>

#include "teachers/key_options.h"

namespace zmq {
class socket_t;
}

namespace conclave {

// Keys of CurveZMQ (ZeroMQ RFC 26): a Curve25519 key is 32 bytes, written as 40 characters of Z85 (RFC 32). In a file
// it stands behind the word `public` or `secret`; lines that begin with # are comments.

// A key that must not be seen: no stream, log or exception takes it; its memory is wiped.
class SecretKey {
 public:
  explicit SecretKey(std::string z85) : z85_(std::move(z85)) {}
  SecretKey(const SecretKey&) = default;
  SecretKey& operator=(const SecretKey&) = default;
  ~SecretKey();

  const std::string& z85() const { return z85_; }

 private:
  std::string z85_;
};

struct KeyPair {
  std::string public_key;  // Z85
  SecretKey secret;
};

// Throws Error when this build of ZeroMQ has no CURVE.
void require_curve();

KeyPair make_key_pair();

// Writes stem.key (only its owner may read it) and stem.pub. Throws Error, leaving nothing behind, when one of them
// exists: a key is never overwritten.
void write_key_pair(const std::filesystem::path& stem, const KeyPair& pair);

// Writes, or writes anew, a NAME.pub. Throws Error.
void write_public_key(const std::filesystem::path& path, const std::string& public_key);

// Of a NAME.key. Throws Error when the file is no secret key, or is ours and others may read it (as ssh does).
KeyPair load_key_pair(const std::filesystem::path& path);

// Of a NAME.pub. Throws Error when the file is no public key; a secret one is named as such, not shown.
std::string load_public_key(const std::filesystem::path& path);

// Before bind: only peers that know the trainer's public key and hold one that a ZAP handler allows get in. The handler
// must be bound in the socket's context first; without one, ZeroMQ lets every key in.
void secure_server(zmq::socket_t& socket, const KeyPair& trainer);
// Before connect: speaks to the owner of `trainer` only. Does nothing without keys. Throws Error.
void secure_client(zmq::socket_t& socket, const WorkerKeys& keys);

// False for ipc://, inproc://, tcp://127.*:* and tcp://[::1]:*; true for everything else: *, a name, an interface.
bool reaches_other_hosts(const std::string& address);

// Throws Error (Exit::kUsage) when a trainer that binds to this address would be open to other hosts without keys, or
// its keys can't be read. Reads every key file; opens nothing else.
void check_trainer_keys(const std::string& address, const TrainerKeys& keys);

}  // namespace conclave
