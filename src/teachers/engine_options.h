#pragma once

#include <string>
#include <vector>

namespace conclave {

// How a teacher computes. Part of its answer: fp32 convolutions differ between one thread and two, so a worker
// announces these in its hello and the trainer refuses another setting than its own.
struct EngineOptions {
  int threads = 1;  // intra-op threads
  bool bf16 = false;
  bool channels_last = false;
  std::string device = "cpu";  // "cpu", "cuda", "cuda:1"; not part of the contract's text

  bool operator==(const EngineOptions&) const = default;
};

// What the trainer knows of one teacher before any worker has come.
struct ExpectedTeacher {
  std::string name;
  std::string hash;                  // of the weights; empty: the first worker that comes decides
  std::vector<std::string> classes;  // of the weights, in channel order; checked against each hello
  EngineOptions engine;              // threads, bf16 and channels_last are checked; device is not
};

}  // namespace conclave
