#include "teachers/torchscript_archive.h"

#include <caffe2/serialize/inline_container.h>

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <sstream>

#include "core/error.h"

namespace conclave {
namespace {

constexpr std::uint32_t kLocalHeader = 0x04034b50, kCentralHeader = 0x02014b50, kEndOfCentral = 0x06054b50;
constexpr std::uint32_t kEnd64 = 0x06064b50, kEnd64Locator = 0x07064b50;
constexpr std::size_t kLocalSize = 30, kCentralSize = 46, kEndSize = 22, kEnd64Size = 56, kLocatorSize = 20;
constexpr std::size_t kMostEntries = 1 << 20;
constexpr std::uint32_t kDeflated = 8;
constexpr std::uint64_t kMostCode = 64u << 20;

// What a program in TorchScript could do beside computing.
constexpr std::string_view kTouchesFiles[] = {"torch.save(",        "torch.from_file(", "ops.aten.save",
                                              "ops.aten.from_file", "torch.load(",      "ops.aten.load"};

// CRC-32 of ZIP (reflected 0xEDB88320).
std::uint32_t crc32(std::string_view bytes) {
  static const auto table = [] {
    std::array<std::uint32_t, 256> t{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = (value & 1) ? 0xEDB88320u ^ (value >> 1) : value >> 1;
      t[i] = value;
    }
    return t;
  }();
  std::uint32_t crc = 0xFFFFFFFFu;
  for (const char c : bytes) crc = table[(crc ^ static_cast<std::uint8_t>(c)) & 0xFF] ^ (crc >> 8);
  return ~crc;
}

class Archive {
 public:
  Archive(std::string_view bytes, const std::string& where) : bytes_(bytes), where_(where) {}

  void check() {
    if (bytes_.substr(0, 4) != std::string_view("PK\x03\x04", 4)) {
      throw Error("is not a TorchScript file: no ZIP archive begins it", where_,
                  "save it with torch.jit.save(torch.jit.trace(model, example), path); a checkpoint of tensors goes "
                  "through scripts/import_checkpoint.py");
    }
    read_directory();
    std::size_t touched = 0;
    std::set<std::size_t> begins;
    for (const auto& [name, entry] : entries_) {
      check_entry(name, entry);
      touched += entry.packed;
      if (!begins.insert(entry.header).second || touched > bytes_.size()) damaged("entries overlap");
    }
    check_contents();
  }

 private:
  struct Entry {
    std::size_t header = 0, packed = 0, size = 0;  // where, and bytes there and unpacked
    std::uint32_t crc = 0;                         // of the unpacked bytes
    bool deflated = false;
  };

  [[noreturn]] void damaged(const std::string& what) const {
    throw Error("is a damaged or truncated TorchScript archive: " + what, where_, "save or copy it again");
  }

  std::uint64_t number(std::size_t at, std::size_t width) const {
    if (at > bytes_.size() || width > bytes_.size() - at) damaged("a header reaches past its end");
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < width; ++i)
      value |= static_cast<std::uint64_t>(static_cast<std::uint8_t>(bytes_[at + i])) << (8 * i);
    return value;
  }
  std::uint32_t u16(std::size_t at) const { return static_cast<std::uint32_t>(number(at, 2)); }
  std::uint32_t u32(std::size_t at) const { return static_cast<std::uint32_t>(number(at, 4)); }

  std::string_view part(std::size_t at, std::size_t size) const {
    if (at > bytes_.size() || size > bytes_.size() - at) damaged("an entry reaches past its end");
    return bytes_.substr(at, size);
  }

  // The end of the central directory is at the end of the file; PyTorch writes no comment.
  void read_directory() {
    if (bytes_.size() < kEndSize || u32(bytes_.size() - kEndSize) != kEndOfCentral) damaged("it has no directory");
    const std::size_t end = bytes_.size() - kEndSize;
    std::uint64_t count = u16(end + 10), size = u32(end + 12), begin = u32(end + 16);
    if (end >= kLocatorSize && u32(end - kLocatorSize) == kEnd64Locator) {
      const auto at = static_cast<std::size_t>(number(end - kLocatorSize + 8, 8));
      if (number(at, 4) != kEnd64 || at + kEnd64Size > end) damaged("its 64-bit directory is not where it should be");
      count = number(at + 32, 8);
      size = number(at + 40, 8);
      begin = number(at + 48, 8);
    }
    if (count == 0 || count > kMostEntries) damaged("its directory lists " + std::to_string(count) + " entries");
    part(static_cast<std::size_t>(begin), static_cast<std::size_t>(size));
    std::size_t at = static_cast<std::size_t>(begin);
    for (std::uint64_t i = 0; i < count; ++i) at = read_entry(at);
  }

  // 64-bit sizes stand in an extra field of kind 1, in this order, where the 32-bit one is all ones.
  std::uint64_t wide(std::uint64_t value, std::size_t extra, std::size_t length, std::size_t& used) const {
    if (value != 0xFFFFFFFFu) return value;
    for (std::size_t at = extra; at + 4 <= extra + length; at += 4 + u16(at + 2)) {
      if (u16(at) != 1) continue;
      if (used + 8 > u16(at + 2)) break;
      used += 8;
      return number(at + 4 + used - 8, 8);
    }
    damaged("an entry has no size");
  }

  std::size_t read_entry(std::size_t at) {
    if (u32(at) != kCentralHeader) damaged("its directory is broken");
    const std::size_t name_length = u16(at + 28), extra_length = u16(at + 30), comment_length = u16(at + 32);
    const std::string name(part(at + kCentralSize, name_length));
    const std::string shown = name.substr(0, 80);
    const std::uint32_t method = u16(at + 10);
    if ((method != 0 && method != kDeflated) || (u16(at + 8) & 1u) != 0)
      damaged("entry " + shown + " is encrypted, or compressed in an unusual way");
    std::size_t used = 0;
    const std::size_t extra = at + kCentralSize + name_length;
    const std::uint64_t size = wide(u32(at + 24), extra, extra_length, used);
    const std::uint64_t packed = wide(u32(at + 20), extra, extra_length, used);
    const std::uint64_t header = wide(u32(at + 42), extra, extra_length, used);
    if (method == 0 && size != packed) damaged("entry " + shown + " has two sizes");
    Entry entry;
    entry.deflated = method == kDeflated;
    entry.packed = static_cast<std::size_t>(packed);
    if (entry.deflated && (size > kMostCode || (unpacked_ += size) > kMostCode))
      damaged("its code claims more than 64 MiB");
    entry.crc = u32(at + 16);
    entry.header = static_cast<std::size_t>(header);
    entry.size = static_cast<std::size_t>(size);
    if (!entries_.emplace(name, entry).second) damaged("entry " + shown + " is there twice");
    return at + kCentralSize + name_length + extra_length + comment_length;
  }

  void check_entry(const std::string& name, const Entry& entry) {
    const std::string shown = name.substr(0, 80);
    if (u32(entry.header) != kLocalHeader) damaged("entry " + shown + " is not where the directory says");
    const std::size_t name_length = u16(entry.header + 26), extra_length = u16(entry.header + 28);
    if (part(entry.header + kLocalSize, name_length) != name) damaged("entry " + shown + " has two names");
    const std::string_view data = part(entry.header + kLocalSize + name_length + extra_length, entry.packed);
    if (!entry.deflated && crc32(data) != entry.crc) damaged("the checksum of " + shown + " is wrong");
    if (name.empty() || name[0] == '/' || name.find('\\') != std::string::npos ||
        ("/" + name + "/").find("/../") != std::string::npos)
      damaged("entry " + shown + " leaves the archive");
  }

  // A deflated entry, unpacked by LibTorch's own reader, which is what will load it.
  std::string unpacked(caffe2::serialize::PyTorchStreamReader& reader, const std::string& inner,
                       const Entry& entry) const {
    std::string text;
    try {
      const auto [data, size] = reader.getRecord(inner);
      text.assign(static_cast<const char*>(data.get()), size);
    } catch (const std::exception&) {
      damaged("entry " + inner.substr(0, 80) + " can't be unpacked");
    }
    if (text.size() != entry.size || crc32(text) != entry.crc)
      damaged("the checksum of " + inner.substr(0, 80) + " is wrong");
    return text;
  }

  void check_contents() const {
    std::optional<caffe2::serialize::PyTorchStreamReader> reader;
    std::istringstream stream{std::string(bytes_)};
    try {
      reader.emplace(&stream);
    } catch (const std::exception&) {
      damaged("LibTorch can't read its directory");
    }
    std::optional<std::string> folder;
    bool code = false, data = false, constants = false;
    for (const auto& [name, entry] : entries_) {
      const std::size_t slash = name.find('/');
      const std::string first = name.substr(0, slash);
      if (slash == std::string::npos || (folder && *folder != first)) damaged("its entries lie in several folders");
      folder = first;
      const std::string inner = name.substr(slash + 1);
      data = data || inner == "data.pkl";
      constants = constants || inner == "constants.pkl";
      if (!entry.deflated && !inner.starts_with("code/")) continue;
      const std::string text = unpacked(*reader, inner, entry);
      code = code || (inner.starts_with("code/") && inner.ends_with(".py"));
      if (inner.ends_with(".py") && text.find("__setstate__") != std::string::npos) {
        throw Error("its code in " + inner.substr(0, 80) + " has a __setstate__, which runs while it is loaded", where_,
                    "trace the model, which leaves such methods behind; quantized layers can't teach");
      }
      for (const std::string_view call : kTouchesFiles) {
        if (!inner.ends_with(".py") || text.find(call) == std::string::npos) continue;
        throw Error("its code in " + inner.substr(0, 80) + " calls " + std::string(call) + "…, which touches files",
                    where_, "a teacher computes and does nothing else; trace the model without this call");
      }
    }
    if (data && !code) {
      throw Error("is a checkpoint that was pickled with torch.save, not a TorchScript program; it was not opened",
                  where_,
                  "save the model with torch.jit.save(torch.jit.trace(model, example), path), or import its tensors "
                  "with scripts/import_checkpoint.py");
    }
    if (!data || !code || !constants) damaged("it lacks data.pkl, constants.pkl or its code");
  }

  const std::string_view bytes_;
  const std::string& where_;
  std::map<std::string, Entry> entries_;
  std::uint64_t unpacked_ = 0;  // bytes of all deflated entries
};

}  // namespace

void check_torchscript_archive(std::string_view bytes, const std::string& where) {
  Archive(bytes, where).check();
}

}  // namespace conclave
