#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace conclave {

// SHA-256 (FIPS 180-4) as 64 hex digits: names weights and checkpoints.
std::string sha256(std::span<const std::byte> bytes);

// CRC-32C (Castagnoli, reflected 0x82F63B78): guards records and TensorBoard events against damage, not against malice.
std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t seed = 0);
// The same without the processor's own instruction for it, as on processors that have none.
std::uint32_t crc32c_portable(std::span<const std::byte> bytes, std::uint32_t seed = 0);

}  // namespace conclave
