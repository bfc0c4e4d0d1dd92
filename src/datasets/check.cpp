#include "datasets/check.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <map>
#include <set>
#include <thread>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "core/error.h"
#include "core/file.h"
#include "datasets/coco_file.h"
#include "datasets/image_header.h"
#include "datasets/image_io.h"

namespace conclave {
namespace {

struct ImageToCheck {
  std::string path;
  int width = 0, height = 0;  // 0: not stated
};

// What is wrong with the file; empty where nothing is.
std::string fault_of(const ImageToCheck& image) {
  try {
    const std::string bytes = read_file(image.path, std::size_t{1} << 29);
    const ImageSize size = require_image_header(bytes, image.path).size;
    if (image.width > 0 && (size.width != image.width || size.height != image.height)) {
      return image.path + ": is " + std::to_string(size.width) + "x" + std::to_string(size.height) +
             ", the annotations say " + std::to_string(image.width) + "x" + std::to_string(image.height);
    }
    decode_image(bytes, image.path);
    return {};
  } catch (const Error& e) {
    const std::string text = e.what();
    return text.substr(0, text.find("\n  hint:"));
  }
}

std::vector<std::string> broken_among(const std::vector<ImageToCheck>& images, int threads) {
  std::vector<std::string> faults(images.size());
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t i = next++; i < images.size(); i = next++) faults[i] = fault_of(images[i]);
  };
  std::vector<std::thread> workers;
  for (int i = 1; i < threads; ++i) workers.emplace_back(work);
  work();
  for (std::thread& worker : workers) worker.join();
  std::erase(faults, std::string());
  return faults;
}

std::string text_of_box(const CocoAnnotation& a) {
  char buffer[120];
  std::snprintf(buffer, sizeof buffer, "[%.6g, %.6g, %.6g, %.6g]", a.x, a.y, a.width, a.height);
  return buffer;
}

class Checker {
 public:
  Checker(const CocoFile& file, DatasetReport& report) : file_(file), report_(report) {
    for (const CocoImage& image : file.images) images_[image.id] = &image;
    for (const CocoCategory& category : file.categories) {
      names_[category.id] = category.name;
      counts_[category.id].name = category.name;
    }
  }

  void run(const std::vector<std::string>& classes) {
    for (const CocoAnnotation& a : file_.annotations) look_at(a);
    std::set<std::string> files;
    for (const CocoImage& image : file_.images) {
      if (!files.insert(image.file_name).second)
        report_.duplicates.push_back("file " + image.file_name + " is listed twice");
      if (!with_boxes_.contains(image.id)) report_.without_boxes.push_back(image.file_name);
    }
    for (const CocoCategory& category : file_.categories) report_.classes.push_back(counts_[category.id]);
    if (!classes.empty()) compare(classes);
  }

 private:
  void look_at(const CocoAnnotation& a) {
    const CocoImage& image = *images_.at(a.image_id);
    const std::string name = "annotation " + std::to_string(a.id) + " (" + image.file_name + ", " +
                             names_[a.category_id] + "): " + text_of_box(a);
    with_boxes_.insert(a.image_id);
    ClassCount& count = counts_[a.category_id];
    if (seen_.insert({a.category_id, a.image_id}).second) ++count.images;
    if (a.crowd) {
      ++count.crowds;
    } else {
      ++count.boxes;
      ++(a.area < 32 * 32 ? count.small : a.area < 96 * 96 ? count.medium : count.large);
    }
    if (a.width < 2 || a.height < 2) report_.tiny.push_back(name);
    const bool sized = image.width > 0 && image.height > 0;
    if (a.x < -1 || a.y < -1 || (sized && (a.x + a.width > image.width + 1 || a.y + a.height > image.height + 1))) {
      report_.outside.push_back(name + " in " + std::to_string(image.width) + "x" + std::to_string(image.height));
    }
    if (!boxes_.insert({a.image_id, a.category_id, a.x, a.y, a.width, a.height}).second) {
      report_.duplicates.push_back(name + " is there twice");
    }
  }

  void compare(const std::vector<std::string>& classes) {
    std::set<std::string> in_file;
    for (const auto& [id, name] : names_) {
      in_file.insert(name);
      if (std::find(classes.begin(), classes.end(), name) == classes.end()) {
        report_.class_mismatch.push_back("category " + name + " is not among the classes; its boxes are not used");
      }
    }
    for (const std::string& name : classes) {
      if (!in_file.contains(name)) report_.class_mismatch.push_back("class " + name + " is not in the file");
    }
  }

  const CocoFile& file_;
  DatasetReport& report_;
  std::unordered_map<std::int64_t, const CocoImage*> images_;
  std::map<std::int64_t, std::string> names_;
  std::map<std::int64_t, ClassCount> counts_;
  std::unordered_set<std::int64_t> with_boxes_;
  std::set<std::pair<std::int64_t, std::int64_t>> seen_;
  std::set<std::tuple<std::int64_t, std::int64_t, double, double, double, double>> boxes_;
};

void append_list(std::string& out, const char* title, const std::vector<std::string>& entries, int most) {
  if (entries.empty()) return;
  out += std::string(title) + ": " + std::to_string(entries.size()) + "\n";
  const auto shown = std::min<std::size_t>(entries.size(), std::max(0, most));
  for (std::size_t i = 0; i < shown; ++i) out += "  " + entries[i] + "\n";
  if (shown < entries.size()) out += "  ... and " + std::to_string(entries.size() - shown) + " more\n";
}

}  // namespace

DatasetReport check_dataset(const DatasetOptions& options, const std::vector<std::string>& classes, int threads) {
  if (!std::filesystem::is_directory(options.images)) throw Error("no such folder of images", options.images);
  DatasetReport report;
  report.name = options.name;
  std::vector<ImageToCheck> images;
  if (options.annotations.empty()) {
    for (std::string& path : list_images(options.images)) images.push_back({std::move(path), 0, 0});
  } else {
    const CocoFile file = read_coco(options.annotations, [&](const std::string& f) { report.faults.push_back(f); });
    Checker(file, report).run(classes);
    report.annotations = static_cast<int>(file.annotations.size());
    for (const CocoImage& image : file.images) {
      images.push_back({(std::filesystem::path(options.images) / image.file_name).string(), image.width, image.height});
    }
  }
  report.images = static_cast<int>(images.size());
  report.broken_images = broken_among(images, threads);
  return report;
}

std::string text_of(const DatasetReport& report, int most) {
  std::string out = report.name + ": " + std::to_string(report.images) + " images, " +
                    std::to_string(report.annotations) + " annotations\n";
  if (!report.classes.empty()) {
    char line[200];
    std::snprintf(line, sizeof line, "%-20s %8s %8s %8s %8s %8s %8s\n", "class", "boxes", "images", "small", "medium",
                  "large", "crowd");
    out += line;
    for (const ClassCount& c : report.classes) {
      std::snprintf(line, sizeof line, "%-20.60s %8d %8d %8d %8d %8d %8d\n", c.name.c_str(), c.boxes, c.images, c.small,
                    c.medium, c.large, c.crowds);
      out += line;
    }
  }
  append_list(out, "faulty entries", report.faults, most);
  append_list(out, "broken images", report.broken_images, most);
  append_list(out, "boxes out of their image", report.outside, most);
  append_list(out, "boxes under two pixels", report.tiny, most);
  append_list(out, "duplicates", report.duplicates, most);
  append_list(out, "images without boxes", report.without_boxes, most);
  append_list(out, "classes", report.class_mismatch, most);
  out += report.usable() ? "usable\n" : "not usable as it is\n";
  return out;
}

}  // namespace conclave
