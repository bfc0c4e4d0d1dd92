#include "core/error.h"

namespace conclave {
namespace {

std::string join(const std::string& what, const std::string& where, const std::string& hint) {
  std::string text = where.empty() ? what : where + ": " + what;
  if (!hint.empty()) text += "\n  hint: " + hint;
  return text;
}

}  // namespace

Error::Error(const std::string& what_is_wrong, const std::string& where, const std::string& hint, Exit exit)
    : std::runtime_error(join(what_is_wrong, where, hint)), where_(where), hint_(hint), exit_(exit) {}

}  // namespace conclave
