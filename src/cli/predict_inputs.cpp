#include "cli/predict_inputs.h"

#include <algorithm>
#include <set>

#include "core/error.h"
#include "datasets/image_io.h"
#include "datasets/video.h"

namespace conclave {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> files_below(const fs::path& folder, const fs::path& out) {
  std::vector<fs::path> folders = {folder}, files;
  for (std::size_t next = 0; next < folders.size(); ++next) {
    const fs::path here = folders[next];
    for (std::string& image : list_images(here.string())) files.emplace_back(std::move(image));
    for (const fs::directory_entry& entry : fs::directory_iterator(here)) {
      std::error_code error;
      if (entry.is_directory(error) && !entry.is_symlink(error)) {
        if (!fs::equivalent(entry.path(), out, error)) folders.push_back(entry.path());
      } else if (is_video(entry.path()) && entry.is_regular_file(error)) {
        files.push_back(entry.path());
      }
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

// "sub/photo", "sub/photo-2", ...
fs::path unused_name(const fs::path& wanted, std::set<fs::path>& used) {
  fs::path name = wanted;
  for (int i = 2; !used.insert(name).second; ++i) name = wanted.string() + "-" + std::to_string(i);
  return name;
}

}  // namespace

std::vector<PredictInput> find_inputs(const std::vector<std::string>& paths, const fs::path& out) {
  std::vector<PredictInput> inputs;
  std::set<fs::path> used = {"detections"};
  for (const std::string& path : paths) {
    if (!fs::exists(path)) throw Error("does not exist", path);
    if (!fs::is_directory(path)) {
      inputs.push_back({path, is_video(path), unused_name(fs::path(path).stem(), used)});
      continue;
    }
    const std::vector<fs::path> files = files_below(path, out);
    if (files.empty()) {
      throw Error("no image and no video in this folder", path,
                  "looked for .jpg .jpeg .png .bmp .webp .mp4 .avi .mov .mkv .webm .m4v .mpg .mpeg");
    }
    for (const fs::path& file : files) {
      inputs.push_back(
          {file.string(), is_video(file), unused_name(file.lexically_relative(path).replace_extension(), used)});
    }
  }
  return inputs;
}

}  // namespace conclave
