#include "cli/export_images.h"

#include "cli/config_run.h"
#include "core/error.h"
#include "datasets/image_io.h"
#include "datasets/synth.h"

namespace conclave {
namespace {

namespace fs = std::filesystem;

Dataset files_of(const std::vector<std::string>& inputs) {
  Dataset set;
  set.name = "images";
  for (const std::string& input : inputs) {
    const std::vector<std::string> files = fs::is_directory(input) ? list_images(input) : std::vector{input};
    if (files.empty()) throw Error("no image in this folder", input, "readable formats: .jpg .jpeg .png .bmp .webp");
    for (const std::string& file : files) {
      const ImageSize size = read_image_size(file);
      ImageEntry entry;
      entry.path = file;
      entry.width = size.width;
      entry.height = size.height;
      entry.id = static_cast<std::int64_t>(set.images.size());
      set.images.push_back(std::move(entry));
    }
  }
  return set;
}

// Every n-th, so that at most `count` are left.
void thin_out(Dataset& set, int count) {
  const std::size_t all = set.images.size(), wanted = static_cast<std::size_t>(count);
  if (all <= wanted) return;
  std::vector<ImageEntry> kept;
  for (std::size_t i = 0; i < wanted; ++i) kept.push_back(set.images[i * all / wanted]);
  set.images = std::move(kept);
}

// The labelled images of the run's own configuration, where they still are.
bool run_images(const fs::path& weights, const ModelSpec& spec, ExportImages& found) {
  const fs::path config = weights.parent_path().parent_path() / "config.yaml";
  if (weights.parent_path().filename() != "weights" || !fs::exists(config)) return false;
  try {
    const RunOptions run = read_run_options(config.string(), {});
    for (const DatasetOptions& source : {run.test, run.val}) {
      if (source.images.empty()) continue;
      found.set = load_dataset(source, spec.classes);
      found.what = "the run's images in " + source.images;
      return !found.set.images.empty() && fs::exists(found.set.images.front().path);
    }
  } catch (const Error&) {
    // The run's images or configuration are not here any more; any other image will do.
  }
  return false;
}

}  // namespace

ExportImages export_images(const std::vector<std::string>& inputs, const std::string& annotations, int count,
                           const fs::path& weights, const ModelSpec& spec) {
  ExportImages found;
  if (!annotations.empty()) {
    if (inputs.size() != 1 || !fs::is_directory(inputs[0])) {
      throw Error("--annotations belongs to one folder of images", annotations, "name it with --images", Exit::kUsage);
    }
    DatasetOptions source;
    source.name = fs::path(annotations).filename().string();
    source.images = inputs[0];
    source.annotations = annotations;
    source.all_labelled = true;
    found.set = load_dataset(source, spec.classes);
    found.scored = true;
    found.what = inputs[0];
    return found;
  }
  if (!inputs.empty()) {
    found.set = files_of(inputs);
    found.what = inputs[0] + (inputs.size() > 1 ? " and others" : "");
  } else if (!run_images(weights, spec, found)) {
    found.drawn = std::make_unique<ScratchFolder>("drawn");
    const fs::path& folder = found.drawn->path();
    make_street_set({.folder = folder.string(), .images = count, .width = 320, .height = 240, .seed = 7}, {});
    found.set = files_of({(folder / "images").string()});
    found.what = "drawn street scenes";
  }
  thin_out(found.set, count);
  return found;
}

}  // namespace conclave
