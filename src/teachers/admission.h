#pragma once

#include <optional>
#include <string>
#include <vector>

#include "teachers/engine_options.h"
#include "teachers/frame.h"

namespace conclave {

// Why a worker that says `hello` can't serve this run, or nothing. Then `teachers` holds, for each teacher of the
// hello, its position among `expected`.
std::optional<std::string> refuse(const Hello& hello, const std::vector<ExpectedTeacher>& expected,
                                  std::vector<int>& teachers);

}  // namespace conclave
