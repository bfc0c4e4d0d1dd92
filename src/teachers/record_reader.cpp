#include "teachers/record_reader.h"

#include <numeric>
#include <span>

#include "core/hash.h"
#include "teachers/byte_stream.h"
#include "teachers/record_format.h"

namespace conclave {
namespace {

// `payload` is what each cell still costs in bytes after the positions, so a count is believed only where the bytes for
// it are left.
std::vector<std::uint32_t> read_cells(ByteReader& in, std::uint32_t limit, std::size_t payload) {
  const std::uint32_t count = in.varint();
  if (count > limit) in.fail("more cells than the grid holds");
  if (count > in.remaining() / payload) in.fail("more cells announced than bytes left");
  std::vector<std::uint32_t> cells;
  cells.reserve(count);
  std::uint64_t next = 0;  // the first cell that may follow
  while (cells.size() < count) {
    const std::uint32_t head = in.varint();
    const std::uint64_t start = next + head / 2;
    const std::uint64_t length = head % 2 ? std::uint64_t{in.varint()} + 2 : 1;
    if (start + length > limit) in.fail("a cell outside the grid");
    if (length > count - cells.size()) in.fail("a run is longer than the announced count");
    const std::size_t end = cells.size();
    cells.resize(end + length);
    std::iota(cells.begin() + static_cast<std::ptrdiff_t>(end), cells.end(), static_cast<std::uint32_t>(start));
    next = start + length + 1;
  }
  return cells;
}

void read_halves(ByteReader& in, std::span<std::uint16_t> halves) {
  in.u16s(halves);
  bool finite = true;
  for (const std::uint16_t half : halves) finite &= record::is_finite(half);
  if (!finite) in.fail("a number is not finite");
}

}  // namespace

SoftTargets read_record(std::string_view bytes) {
  ByteReader in(bytes, "record");
  if (bytes.size() < record::kHeaderBytes + record::kTrailerBytes)
    in.fail("cut short at byte " + std::to_string(bytes.size()));
  if (in.bytes(record::kMagic.size()) != record::kMagic) in.fail("not a soft-target record");
  if (const int version = in.u8(); version != record::kVersion) {
    in.fail("version " + std::to_string(version) + ", this program reads version " + std::to_string(record::kVersion));
  }
  const std::string_view body = bytes.substr(0, bytes.size() - record::kTrailerBytes);
  ByteReader trailer(bytes.substr(body.size()), "record");
  if (trailer.u32() != crc32c(std::as_bytes(std::span(body)))) in.fail("damaged: its checksum does not match");

  in = ByteReader(body, "record");
  in.bytes(record::kMagic.size() + 1);
  if (in.u8() != 0) in.fail("unknown flags");
  const int channels = in.u16();
  SoftTargets targets;
  targets.height = in.u16();
  targets.width = in.u16();
  if (targets.height < 1 || targets.width < 1 || targets.height > record::kMaxSide ||
      targets.width > record::kMaxSide || targets.height * targets.width > record::kMaxCells) {
    in.fail("a grid of " + std::to_string(targets.width) + "x" + std::to_string(targets.height) + " cells");
  }
  if (channels > record::kMaxChannels) in.fail("too many channels");
  if (static_cast<std::size_t>(channels) > in.remaining()) in.fail("more channels announced than bytes left");
  const auto limit = static_cast<std::uint32_t>(targets.height * targets.width);

  targets.channels.resize(static_cast<std::size_t>(channels));
  for (SoftTargets::Channel& channel : targets.channels) {
    channel.cells = read_cells(in, limit, record::kLogitBytes);
    channel.logits.resize(channel.cells.size());
    read_halves(in, channel.logits);
  }
  targets.box_cells = read_cells(in, limit, record::kBoxBytes);
  targets.boxes.resize(targets.box_cells.size());
  for (auto& box : targets.boxes) read_halves(in, box);
  in.end();
  return targets;
}

}  // namespace conclave
