#include "teachers/record_writer.h"

#include <span>

#include "core/hash.h"
#include "teachers/byte_stream.h"
#include "teachers/record_format.h"

namespace conclave {
namespace {

[[noreturn]] void refuse(const std::string& why) {
  throw Error(why, "soft targets");
}

// Cells as runs of neighbours: varint(2 * gap + long), then varint(length - 2) when long. See PROTOCOL.md.
void write_cells(ByteWriter& out, const std::vector<std::uint32_t>& cells, std::uint32_t limit) {
  out.varint(static_cast<std::uint32_t>(cells.size()));
  std::uint32_t next = 0;  // the first cell that may follow
  for (std::size_t i = 0; i < cells.size();) {
    if (cells[i] < next || cells[i] >= limit) refuse("cells are not strictly rising inside the grid");
    std::size_t end = i + 1;
    while (end < cells.size() && cells[end] == cells[end - 1] + 1) ++end;
    const std::uint32_t length = static_cast<std::uint32_t>(end - i);
    if (length > limit - cells[i]) refuse("cells are not strictly rising inside the grid");
    out.varint(2 * (cells[i] - next) + (length > 1 ? 1 : 0));
    if (length > 1) out.varint(length - 2);
    next = cells[i] + length + 1;
    i = end;
  }
}

void write_halves(ByteWriter& out, std::span<const std::uint16_t> halves) {
  bool finite = true;
  for (const std::uint16_t half : halves) finite &= record::is_finite(half);
  if (!finite) refuse("a number is not finite in half precision");
  out.u16s(halves);
}

}  // namespace

std::string write_record(const SoftTargets& targets) {
  if (targets.height < 1 || targets.width < 1 || targets.height > record::kMaxSide ||
      targets.width > record::kMaxSide || targets.height * targets.width > record::kMaxCells) {
    refuse("the grid is " + std::to_string(targets.width) + "x" + std::to_string(targets.height) + " cells");
  }
  if (targets.channels.size() > record::kMaxChannels) refuse("too many channels");
  const auto limit = static_cast<std::uint32_t>(targets.height * targets.width);

  ByteWriter out;
  out.bytes(record::kMagic);
  out.u8(record::kVersion);
  out.u8(0);
  out.u16(static_cast<std::uint16_t>(targets.channels.size()));
  out.u16(static_cast<std::uint16_t>(targets.height));
  out.u16(static_cast<std::uint16_t>(targets.width));
  for (const SoftTargets::Channel& channel : targets.channels) {
    if (channel.cells.size() != channel.logits.size()) refuse("cells and logits differ in number");
    write_cells(out, channel.cells, limit);
    write_halves(out, channel.logits);
  }
  if (targets.box_cells.size() != targets.boxes.size()) refuse("box cells and boxes differ in number");
  write_cells(out, targets.box_cells, limit);
  for (const auto& box : targets.boxes) write_halves(out, box);
  out.u32(crc32c(std::as_bytes(std::span(out.str()))));
  return out.take();
}

}  // namespace conclave
