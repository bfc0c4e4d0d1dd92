#include "store/store_lookup.h"

#include "core/file.h"
#include "datasets/image_io.h"

namespace conclave {
namespace {

constexpr std::chrono::seconds kRefresh{1};

}  // namespace

std::vector<ImageContent> StoreLookup::contents_of(const TargetRequest& request, const std::string& root) {
  std::vector<ImageContent> contents;
  for (const ImageFile& file : images_of(request)) contents.push_back(content_of(file, root));
  return contents;
}

ImageContent StoreLookup::content_of(const ImageFile& file, const std::string& root) {
  if (file.image) return image_content(*file.image);
  const std::string path = image_path(file.path, root);
  std::error_code failed;  // then read_file says it better
  const auto changed = std::filesystem::last_write_time(path, failed);
  const std::uintmax_t size = failed ? 0 : std::filesystem::file_size(path, failed);
  const auto found = known_.find(path);
  if (!failed && found != known_.end() && found->second.changed == changed && found->second.size == size) {
    return found->second.content;
  }
  const Known known{changed, size, image_content(read_file(path, kMaxImageBytes))};
  return known_.insert_or_assign(path, known).first->second.content;
}

std::optional<std::string> StoreLookup::find(const TargetKey& key) {
  if (!store_->contains(key) && std::chrono::steady_clock::now() - refreshed_ >= kRefresh) {
    store_->refresh();
    refreshed_ = std::chrono::steady_clock::now();
  }
  return store_->find(key);
}

}  // namespace conclave
