#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "store/target_store.h"
#include "teachers/target_source.h"

namespace conclave {

// A store for someone who asks about view after view, while others may append to it. Not thread-safe.
class StoreLookup {
 public:
  explicit StoreLookup(std::unique_ptr<TargetStore> store) : store_(std::move(store)) {}

  TargetStore& store() { return *store_; }
  const TargetStore& store() const { return *store_; }

  // The content of the request's images, the view's own first: of the bytes that travel with it, else of the file,
  // which is read again only after it has changed. `root` goes before a relative path. Throws Error when one can't be
  // read.
  std::vector<ImageContent> contents_of(const TargetRequest& request, const std::string& root = {});

  // As TargetStore::find; a miss looks, at most once a second, for what others have appended.
  std::optional<std::string> find(const TargetKey& key);

 private:
  struct Known {
    std::filesystem::file_time_type changed;
    std::uintmax_t size = 0;
    ImageContent content;
  };

  ImageContent content_of(const ImageFile& file, const std::string& root);

  const std::unique_ptr<TargetStore> store_;
  std::unordered_map<std::string, Known> known_;  // by path
  std::chrono::steady_clock::time_point refreshed_ = std::chrono::steady_clock::now();
};

}  // namespace conclave
