#include "student/checkpoint.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <vector>

#include "core/error.h"
#include "core/hash.h"
#include "core/log.h"

namespace conclave {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPrefix = "step-";
constexpr const char* kSuffix = ".safetensors";
constexpr const char* kChecksum = "crc32c";  // its key in the metadata

fs::path path_of(const fs::path& folder, std::int64_t step) {
  char name[64];
  std::snprintf(name, sizeof name, "%s%08lld%s", kPrefix, static_cast<long long>(step), kSuffix);
  return folder / name;
}

// Checkpoints in the folder, newest first. What a killed process left aside ("….tmp-PID") is not among them.
std::vector<fs::path> checkpoints_in(const fs::path& folder) {
  std::vector<fs::path> paths;
  std::error_code missing;
  for (const auto& entry : fs::directory_iterator(folder, missing)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(kPrefix) && name.ends_with(kSuffix)) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end(), [](const fs::path& a, const fs::path& b) {
    const std::string x = a.filename().string(), y = b.filename().string();
    return x.size() != y.size() ? x.size() > y.size() : x > y;
  });
  return paths;
}

void remove_leftovers(const fs::path& folder) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(kPrefix) && name.find(".tmp-") != std::string::npos) fs::remove(entry.path(), ignored);
  }
}

// Of all that the file says, but for the checksum itself: finds damage that leaves the file's structure alone.
std::string checksum(const std::map<std::string, TensorView>& tensors,
                     const std::map<std::string, std::string>& metadata) {
  std::uint32_t crc = 0;
  const auto add = [&](const std::string& text) {
    const std::string whole = std::to_string(text.size()) + " " + text;
    crc = crc32c(std::as_bytes(std::span(whole)), crc);
  };
  for (const auto& [key, value] : metadata) {
    if (key == kChecksum) continue;
    add(key);
    add(value);
  }
  for (const auto& [name, view] : tensors) {
    add(name);
    add(name_of(view.dtype));
    std::string shape;
    for (const std::int64_t size : view.shape) shape += std::to_string(size) + ",";
    add(shape);
    crc = crc32c(view.bytes, crc);
  }
  return std::to_string(crc);
}

// The value of `key`, taken out of the metadata.
std::string take_entry(std::map<std::string, std::string>& metadata, const std::string& key, const std::string& where) {
  auto node = metadata.extract(key);
  if (node.empty()) throw Error("the checkpoint's metadata has no '" + key + "'", where);
  return node.mapped();
}

Checkpoint read_checkpoint(const fs::path& path) {
  const TensorFile file = TensorFile::open(path);
  Checkpoint checkpoint;
  checkpoint.metadata = file.metadata();
  if (take_entry(checkpoint.metadata, kChecksum, path.string()) != checksum(file.tensors(), file.metadata())) {
    throw Error("the contents don't match their checksum", path.string());
  }
  checkpoint.step = std::strtoll(take_entry(checkpoint.metadata, "step", path.string()).c_str(), nullptr, 10);
  if (path.filename() != path_of({}, checkpoint.step).filename()) {
    throw Error("the checkpoint is of step " + std::to_string(checkpoint.step) + ", its name says another",
                path.string());
  }
  checkpoint.best = std::strtod(take_entry(checkpoint.metadata, "best", path.string()).c_str(), nullptr);
  checkpoint.tensors = read_tensor_map(file);
  return checkpoint;
}

}  // namespace

void save_checkpoint(const fs::path& folder, const Checkpoint& checkpoint, int keep) {
  const std::string what = "the checkpoint of step " + std::to_string(checkpoint.step) + " was not written";
  try {
    std::error_code failure;
    fs::create_directories(folder, failure);
    if (failure) throw Error("can't make the folder: " + failure.message(), folder.string());
    remove_leftovers(folder);
    TensorMap contiguous;
    std::map<std::string, TensorView> views;
    for (const auto& [name, tensor] : checkpoint.tensors) {
      views[name] = view_of(contiguous[name] = tensor.detach().cpu().contiguous());
    }
    std::map<std::string, std::string> metadata = checkpoint.metadata;
    char best[64];
    std::snprintf(best, sizeof best, "%a", checkpoint.best);
    metadata["best"] = best;
    metadata["step"] = std::to_string(checkpoint.step);
    metadata[kChecksum] = checksum(views, metadata);
    write_tensors(path_of(folder, checkpoint.step), views, metadata);
  } catch (const Error& error) {
    throw Error(what + " (" + error.what() + ")", folder.string(),
                "earlier checkpoints are untouched; make room, then continue with --resume", error.exit());
  }
  // Later ones are there only where they could not be read: this training overwrites them when it gets there.
  const std::vector<fs::path> paths = checkpoints_in(folder);
  const auto written = std::find(paths.begin(), paths.end(), path_of(folder, checkpoint.step));
  for (std::ptrdiff_t i = std::max(1, keep); i < paths.end() - written; ++i) {
    std::error_code ignored;
    fs::remove(written[i], ignored);
  }
}

std::optional<Checkpoint> load_checkpoint(const fs::path& folder) {
  const std::vector<fs::path> paths = checkpoints_in(folder);
  for (const fs::path& path : paths) {
    try {
      return read_checkpoint(path);
    } catch (const Error& error) {
      log::warn("a checkpoint that can't be read is passed over: {}", error.what());
    }
  }
  if (paths.empty()) return std::nullopt;
  throw Error("none of the checkpoints can be read", folder.string(),
              "bring one back, or remove the folder to train from the start");
}

}  // namespace conclave
