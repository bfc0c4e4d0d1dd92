#pragma once

#include <filesystem>

#include "models/detector.h"

namespace conclave {

// Copies the backbone and neck of another detector's weights into `model`, where name and shape agree; heads keep their
// own start. Returns how many tensors were copied and logs it. Throws Error (where = file) when none fits.
std::size_t load_initial_weights(Detector& model, const std::filesystem::path& file);

}  // namespace conclave
