#include "datasets/write_coco.h"

#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/file.h"

namespace conclave {
namespace {

std::string quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

template <class T>
void append(std::string& out, T number) {
  char buffer[40];
  out.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, number).ptr);
}

void append_box(std::string& out, double x, double y, double width, double height) {
  out += "[";
  append(out, x), out += ",";
  append(out, y), out += ",";
  append(out, width), out += ",";
  append(out, height), out += "]";
}

// A float that came from a decimal prints as that decimal again.
double decimal(float value) {
  char buffer[40];
  const char* end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  double result = 0;
  std::from_chars(buffer, end, result);
  return result;
}

// "[\n item,\n item]"
template <class List, class Item>
void append_list(std::string& out, const char* name, const List& list, Item item) {
  out += std::string(",\n\"") + name + "\":[";
  const char* separator = "\n";
  for (const auto& element : list) {
    out += separator;
    item(element);
    separator = ",\n";
  }
  out += "]";
}

}  // namespace

std::string coco_text(const CocoFile& file, const CocoInfo& info) {
  std::string out = "{\"info\":{\"description\":" + quoted(info.description) + ",\"labelled\":[";
  for (std::size_t i = 0; i < info.labelled.size(); ++i) {
    if (i > 0) out += ",";
    out += quoted(info.labelled[i]);
  }
  out += "]},\n\"licenses\":[]";
  append_list(out, "images", file.images, [&](const CocoImage& image) {
    out += "{\"id\":" + std::to_string(image.id) + ",\"file_name\":" + quoted(image.file_name);
    if (image.width > 0) out += ",\"width\":" + std::to_string(image.width);
    if (image.height > 0) out += ",\"height\":" + std::to_string(image.height);
    out += "}";
  });
  append_list(out, "annotations", file.annotations, [&](const CocoAnnotation& a) {
    out += "{\"id\":" + std::to_string(a.id) + ",\"image_id\":" + std::to_string(a.image_id) +
           ",\"category_id\":" + std::to_string(a.category_id) + ",\"bbox\":";
    append_box(out, a.x, a.y, a.width, a.height);
    out += ",\"area\":";
    append(out, a.area);
    if (a.score >= 0) {
      out += ",\"score\":";
      append(out, decimal(static_cast<float>(a.score)));
    }
    out += a.crowd ? ",\"iscrowd\":1}" : ",\"iscrowd\":0}";
  });
  append_list(out, "categories", file.categories, [&](const CocoCategory& category) {
    out += "{\"id\":" + std::to_string(category.id) + ",\"name\":" + quoted(category.name) + "}";
  });
  return out + "}\n";
}

void write_coco(const std::string& path, const CocoFile& file, const CocoInfo& info) {
  write_file_atomically(path, coco_text(file, info));
}

CocoFile coco_of(const Dataset& dataset) {
  CocoFile file;
  for (std::size_t c = 0; c < dataset.classes.size(); ++c) {
    file.categories.push_back({static_cast<std::int64_t>(c) + 1, dataset.classes[c]});
  }
  for (const ImageEntry& image : dataset.images) {
    file.images.push_back({image.id, std::filesystem::path(image.path).filename().string(), image.width, image.height});
    for (const Annotation& a : image.annotations) {
      CocoAnnotation annotation;
      annotation.id = static_cast<std::int64_t>(file.annotations.size()) + 1;
      annotation.image_id = image.id;
      annotation.category_id = a.cls + 1;
      annotation.x = decimal(a.box.x0);
      annotation.y = decimal(a.box.y0);
      annotation.width = decimal(a.box.width());
      annotation.height = decimal(a.box.height());
      annotation.area = decimal(a.area);
      annotation.crowd = a.crowd;
      file.annotations.push_back(annotation);
    }
  }
  return file;
}

void write_detections(const std::string& path, const Dataset& dataset,
                      const std::vector<std::vector<Detection>>& detections,
                      const std::vector<std::int64_t>& category_ids) {
  if (detections.size() != dataset.images.size()) {
    throw Error("detections of " + std::to_string(detections.size()) + " images for a set of " +
                    std::to_string(dataset.images.size()),
                path);
  }
  std::string out = "[";
  const char* separator = "\n";
  for (std::size_t i = 0; i < detections.size(); ++i) {
    for (const Detection& d : detections[i]) {
      const std::int64_t category = category_ids.empty() ? d.cls + 1 : category_ids.at(d.cls);
      out += separator;
      out += "{\"image_id\":" + std::to_string(dataset.images[i].id) + ",\"category_id\":" + std::to_string(category) +
             ",\"bbox\":";
      append_box(out, decimal(d.box.x0), decimal(d.box.y0), decimal(d.box.width()), decimal(d.box.height()));
      out += ",\"score\":";
      append(out, decimal(d.score));
      out += "}";
      separator = ",\n";
    }
  }
  write_file_atomically(path, out + "]\n");
}

}  // namespace conclave
