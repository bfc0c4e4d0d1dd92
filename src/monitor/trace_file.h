#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

namespace conclave {

// A file of spans of time in the Trace Event Format (JSON array, complete events "X"), for chrome://tracing and
// ui.perfetto.dev. Valid for these viewers even when the process is killed: the closing bracket is optional there. Not
// thread-safe.
class TraceFile {
 public:
  // Starts the file anew. `process`: shown as the name of process `id` ("rank 0"). Throws Error (where = path).
  TraceFile(const std::filesystem::path& path, const std::string& process, int id);
  ~TraceFile();

  // A span on the one thread that there is; times in seconds since any fixed moment.
  void span(const std::string& name, double begin, double end, std::int64_t step);

 private:
  std::ofstream file_;
  int id_;
};

}  // namespace conclave
