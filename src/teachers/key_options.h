#pragma once

#include <string>
#include <vector>

namespace conclave {

// Who a trainer is and whom it lets in. Paths of key files; the keys themselves are read where they are used.
struct TrainerKeys {
  std::string secret;              // its NAME.key; empty: the connection is neither encrypted nor authenticated
  std::vector<std::string> allow;  // workers' NAME.pub files, and folders of them
  bool insecure = false;           // listen to other hosts without keys
};

// Who a worker is, and the trainer that it trusts: both or neither.
struct WorkerKeys {
  std::string secret;   // its NAME.key
  std::string trainer;  // the trainer's NAME.pub
};

}  // namespace conclave
