#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "teachers/engine_options.h"
#include "teachers/frame.h"

namespace conclave {

// What a worker has answered before. Called by the thread that computes, alone.
class TargetCache {
 public:
  virtual ~TargetCache() = default;

  // The encoded record of a teacher (a position among the worker's) about a view that this trainer draws; nothing when
  // it is not there. Throws Error when the image can't be read.
  virtual std::optional<std::string> find(std::size_t teacher, const TargetRequest& view, const Welcome& trainer) = 0;

  // Does not throw: a record that can't be kept is computed again.
  virtual void keep(std::size_t teacher, const TargetRequest& view, const Welcome& trainer,
                    std::string_view record) noexcept = 0;
};

// Called once, with the worker's teachers. May throw Error.
using OpenCache = std::function<std::unique_ptr<TargetCache>(const std::vector<ExpectedTeacher>& teachers)>;

}  // namespace conclave
