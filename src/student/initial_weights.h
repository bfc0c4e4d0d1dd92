#pragma once

#include <filesystem>

#include "models/detector.h"

namespace conclave {

// Copies the backbone and neck of another detector's weights into `model`, where name and shape agree. Returns how many
// tensors were copied and logs it. Throws Error (where = file) when none fits.
//
// With `heads` its heads follow, each that fits in all its tensors: what all classes share (each head's first
// convolution, offset, a shared wh) as it is, what belongs to one class (its heat channel, its own wh) to the class of
// the same name. Other classes, and heads that don't fit (a warning names them), keep their fresh start.
std::size_t load_initial_weights(Detector& model, const std::filesystem::path& file, bool heads = false);

}  // namespace conclave
