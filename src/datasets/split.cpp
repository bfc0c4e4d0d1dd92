#include "datasets/split.h"

#include <algorithm>
#include <filesystem>
#include <unordered_set>

#include "core/error.h"
#include "core/file.h"
#include "core/random.h"
#include "datasets/write_coco.h"

namespace conclave {
namespace {

std::vector<SplitPart> parts_of(const SplitOptions& options, const CocoFile& file) {
  if (!options.parts.empty()) return options.parts;
  std::vector<SplitPart> parts;
  for (const CocoCategory& category : file.categories) parts.push_back({category.name, {category.name}});
  return parts;
}

void check_parts(const std::vector<SplitPart>& parts, const std::string& rest, const CocoFile& file,
                 const std::string& where) {
  std::unordered_set<std::string> names, categories;
  std::string known;
  for (const CocoCategory& category : file.categories) {
    categories.insert(category.name);
    known += (known.empty() ? "" : ", ") + category.name;
  }
  for (const SplitPart& part : parts) {
    if (part.name.empty() || part.name.find('/') != std::string::npos) {
      throw Error("a part can't be named \"" + part.name + "\"", where, "its name becomes a file name");
    }
    if (!names.insert(part.name).second) throw Error("two parts are named " + part.name, where);
    for (const std::string& name : part.labelled) {
      if (!categories.contains(name))
        throw Error("part " + part.name + ": no category \"" + name + "\"", where, "known are " + known);
    }
  }
  if (!rest.empty() && names.contains(rest)) throw Error("two parts are named " + rest, where);
  if (rest.find('/') != std::string::npos) throw Error("a part can't be named \"" + rest + "\"", where);
  if (parts.size() > file.images.size()) {
    throw Error(std::to_string(parts.size()) + " parts of " + std::to_string(file.images.size()) + " images", where);
  }
}

// The part of each image; the one behind the last is the rest.
std::vector<std::size_t> deal(std::size_t images, std::size_t parts, const SplitOptions& options) {
  const auto most = static_cast<std::size_t>(options.images_per_part);
  std::vector<std::size_t> part_of(images), taken(parts);
  const auto order = permutation(static_cast<std::uint32_t>(images), options.seed);
  for (std::size_t i = 0; i < images; ++i) {
    const std::size_t part = i * parts / images;
    const bool full = most > 0 && taken[part] == most;
    part_of[order[i]] = full ? parts : part;
    taken[part] += full ? 0 : 1;
  }
  for (std::size_t p = 0; p < parts && most > 0; ++p) {
    if (taken[p] == most) continue;
    throw Error(std::to_string(parts) + " parts of " + std::to_string(most) + " images each, but there are only " +
                    std::to_string(images) + " images",
                options.annotations);
  }
  return part_of;
}

void make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw Error("the folder can't be made: " + error.message(), folder.string());
}

CocoFile part_file(const CocoFile& file, const std::vector<std::size_t>& part_of, std::size_t part,
                   const std::vector<std::string>& labelled) {
  CocoFile result;
  std::unordered_set<std::int64_t> images, categories;
  for (std::size_t i = 0; i < file.images.size(); ++i) {
    if (part_of[i] != part) continue;
    result.images.push_back(file.images[i]);
    images.insert(file.images[i].id);
  }
  for (const CocoCategory& category : file.categories) {
    if (std::find(labelled.begin(), labelled.end(), category.name) == labelled.end()) continue;
    result.categories.push_back(category);
    categories.insert(category.id);
  }
  for (const CocoAnnotation& a : file.annotations) {
    if (images.contains(a.image_id) && categories.contains(a.category_id)) result.annotations.push_back(a);
  }
  return result;
}

// A file to write.
struct Output {
  SplitResult result;
  std::string text;
};

Output output_of(const std::string& path, const CocoFile& part, const CocoInfo& info) {
  return {{path, static_cast<int>(part.images.size()), static_cast<int>(part.annotations.size())},
          coco_text(part, info)};
}

// All or none; one that is there word for word stays.
std::vector<SplitResult> write(const std::vector<Output>& outputs, const std::string& source, bool overwrite) {
  std::vector<const Output*> fresh;
  for (const Output& output : outputs) {
    const std::filesystem::path path = output.result.path;
    std::error_code failure;
    if (std::filesystem::equivalent(path, source, failure)) {
      throw Error("would replace the file that it is made from", path.string(), "choose another --out", Exit::kUsage);
    }
    if (std::filesystem::exists(path, failure)) {
      if (std::filesystem::is_regular_file(path, failure) &&
          std::filesystem::file_size(path, failure) == output.text.size() && read_file(path) == output.text) {
        continue;
      }
      if (!overwrite) {
        throw Error("is there already, with other content", path.string(),
                    "choose another --out, or give --overwrite to replace it", Exit::kUsage);
      }
    }
    fresh.push_back(&output);
  }
  for (const Output* output : fresh) {
    make_folder(std::filesystem::absolute(output->result.path).parent_path());
    write_file_atomically(output->result.path, output->text);
  }
  std::vector<SplitResult> results;
  for (const Output& output : outputs) results.push_back(output.result);
  return results;
}

}  // namespace

std::vector<SplitResult> split_dataset(const SplitOptions& options) {
  const CocoFile file = read_coco(options.annotations);
  std::vector<SplitPart> parts = parts_of(options, file);
  check_parts(parts, options.rest, file, options.annotations);
  const auto part_of = deal(file.images.size(), parts.size(), options);
  if (!options.rest.empty()) parts.push_back({options.rest, {}});
  std::vector<Output> outputs;
  for (std::size_t p = 0; p < parts.size(); ++p) {
    const CocoFile part = part_file(file, part_of, p, parts[p].labelled);
    const std::string path = (std::filesystem::path(options.folder) / (parts[p].name + ".json")).string();
    const std::string origin = std::filesystem::path(options.annotations).filename().string();
    outputs.push_back(output_of(path, part,
                                {"part " + std::to_string(p + 1) + " of " + std::to_string(parts.size()) + " of " +
                                     origin + ", seed " + std::to_string(options.seed),
                                 parts[p].labelled}));
  }
  return write(outputs, options.annotations, options.overwrite);
}

SplitResult sample_dataset(const SampleOptions& options) {
  const CocoFile file = read_coco(options.annotations);
  const auto wanted = static_cast<std::size_t>(options.images);
  if (wanted > file.images.size()) {
    throw Error(std::to_string(wanted) + " images of " + std::to_string(file.images.size()), options.annotations);
  }
  const auto order = permutation(static_cast<std::uint32_t>(file.images.size()), options.seed);
  std::vector<std::size_t> part_of(file.images.size(), 1);
  for (std::size_t i = 0; i < wanted; ++i) part_of[order[i]] = 0;
  std::vector<std::string> classes;
  for (const CocoCategory& category : file.categories) classes.push_back(category.name);
  const CocoFile part = part_file(file, part_of, 0, classes);
  const std::string origin = std::filesystem::path(options.annotations).filename().string();
  const CocoInfo info{std::to_string(wanted) + " images of " + origin + ", seed " + std::to_string(options.seed),
                      classes};
  return write({output_of(options.file, part, info)}, options.annotations, options.overwrite).front();
}

}  // namespace conclave
