#pragma once

#include <cstdint>

namespace conclave {

// IEEE 754 binary16 from and to binary32; round to nearest even, infinities and NaN kept. The same bits as c10::Half.
std::uint16_t half_from_float(float value);
float float_from_half(std::uint16_t half);

}  // namespace conclave
