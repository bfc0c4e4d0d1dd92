#include "teachers/allow_list.h"

#include <algorithm>
#include <system_error>

#include "core/error.h"
#include "core/log.h"
#include "teachers/curve.h"

namespace conclave {
namespace {

namespace fs = std::filesystem;

constexpr Seconds kReadAgain{1};
constexpr std::size_t kMaxKeys = 100'000;  // a folder of something else is an error, not a long wait

std::vector<fs::path> key_files(const fs::path& path) {
  std::error_code failed;
  if (!fs::is_directory(path, failed)) return {path};
  std::vector<fs::path> files;
  for (fs::directory_iterator i(path, failed), end; !failed && i != end; i.increment(failed)) {
    if (i->path().extension() == ".pub") files.push_back(i->path());
    if (files.size() > kMaxKeys) throw Error("holds more than " + std::to_string(kMaxKeys) + " keys", path.string());
  }
  if (failed) throw Error("can't read the folder: " + failed.message(), path.string());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

AllowList::AllowList(std::vector<std::string> paths) : paths_(std::move(paths)), keys_(read(true)) {}

void AllowList::add(const std::string& public_key, const std::string& name) {
  own_[public_key] = name;
  keys_[public_key] = name;
}

AllowList::Keys AllowList::read(bool strict) const {
  Keys keys = own_;
  const auto lenient = [&](const auto& action) {
    try {
      action();
    } catch (const Error& error) {
      if (strict) throw;
      if (!complained_) log::warn("allowed keys: {}", error.what());
      complained_ = true;
    }
  };
  for (const std::string& path : paths_) {
    std::vector<fs::path> files;
    lenient([&] { files = key_files(path); });
    for (const fs::path& file : files) {
      lenient([&] { keys.emplace(load_public_key(file), file.stem().string()); });
    }
  }
  return keys;
}

std::optional<std::string> AllowList::name_of(const std::string& public_key, TimePoint now) {
  if (now >= next_) {
    keys_ = read(false);
    next_ = now + kReadAgain;
  }
  const auto found = keys_.find(public_key);
  if (found == keys_.end()) return std::nullopt;
  return found->second;
}

}  // namespace conclave
