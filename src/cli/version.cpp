#include "cli/version.h"

#include "core/file.h"
#include "core/hash.h"

namespace conclave {

const char* const kVersion = CONCLAVE_VERSION;

const std::string& version_and_build() {
  static const std::string text = [] {
    const std::string program = read_file("/proc/self/exe");
    return std::string(kVersion) + "+" + sha256(std::as_bytes(std::span(program))).substr(0, 12);
  }();
  return text;
}

}  // namespace conclave
