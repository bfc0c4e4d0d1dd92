#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/view.h"
#include "fusion/soft_targets.h"
#include "teachers/engine_options.h"
#include "teachers/target_source.h"

namespace conclave {

// The name of one teacher's targets for one view: the first 128 bits of a SHA-256 over all that decides their bits
// (STORE.md lists it). Equal keys: equal targets.
struct TargetKey {
  std::array<std::uint8_t, 16> bytes = {};
  auto operator<=>(const TargetKey&) const = default;
};

struct TargetKeyHash {
  std::size_t operator()(const TargetKey& key) const {
    std::size_t word;
    std::memcpy(&word, key.bytes.data(), sizeof word);
    return word;
  }
};

// The content of an image file, whatever its path: the first 128 bits of the SHA-256 of its bytes.
using ImageContent = std::array<std::uint8_t, 16>;
ImageContent image_content(std::string_view bytes);

// What is the same for all views of one teacher in a run. REQUIRES: teacher.hash is known.
struct TeacherKey {
  TeacherKey(const ExpectedTeacher& teacher, const SparseOptions& sparse);
  std::string bytes;
};

// `images`: the contents of the view's images, its own first. Of `view` only what decides the view's pixels matters:
// its seed, its images' sizes and the options that the drawn geometry comes from, not its place among the sets or
// paths.
TargetKey target_key(const TeacherKey& teacher, const std::vector<ImageContent>& images, const TargetRequest& view,
                     const ViewOptions& options);

// One line of JSON for people and for `conclave store`: the teacher's name, hash, classes and engine, what is kept of
// its heat, and how views were drawn.
std::string describe(const ExpectedTeacher& teacher, const ViewOptions& views, const SparseOptions& sparse);

}  // namespace conclave
