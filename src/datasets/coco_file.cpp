#include "datasets/coco_file.h"

#include <simdjson.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <unordered_set>

#include "core/error.h"

namespace conclave {
namespace {

namespace json = simdjson::ondemand;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

struct Fault {
  std::string text;
};

std::string token_of(json::value value) {
  std::string token(value.raw_json_token());
  token.erase(token.find_last_not_of(" \t\r\n") + 1);
  return token.size() > 40 ? token.substr(0, 40) + "..." : token;
}

std::int64_t read_integer(json::value value, const char* field) {
  std::int64_t integer = 0;
  double real = 0;
  if (value.get_int64().get(integer) == simdjson::SUCCESS) return integer;
  if (value.get_double().get(real) == simdjson::SUCCESS && real == std::floor(real) && std::abs(real) < 9e15) {
    return static_cast<std::int64_t>(real);
  }
  throw Fault{std::string(field) + " is " + token_of(value) + ", not an integer"};
}

// NaN and Infinity are no JSON, but Python's json module writes them.
double read_number(json::value value, const char* field) {
  double real = 0;
  if (value.get_double().get(real) == simdjson::SUCCESS) return real;
  const std::string token = token_of(value);
  if (token == "NaN" || token == "null") return kNaN;
  if (token == "Infinity" || token == "-Infinity") return token[0] == '-' ? -INFINITY : INFINITY;
  throw Fault{std::string(field) + " is " + token + ", not a number"};
}

std::string read_text(json::value value, const char* field) {
  std::string_view text;
  if (value.get_string().get(text) != simdjson::SUCCESS) {
    throw Fault{std::string(field) + " is " + token_of(value) + ", not a string"};
  }
  return std::string(text);
}

bool read_flag(json::value value, const char* field) {
  bool flag = false;
  if (value.get_bool().get(flag) == simdjson::SUCCESS) return flag;
  return read_number(value, field) != 0;
}

struct BoxNumbers {
  double value[4] = {};
  int count = 0;  // of numbers in the file; 4 for a box

  std::string text() const {
    std::string joined;
    char buffer[32];
    for (int i = 0; i < std::min(count, 4); ++i) {
      std::snprintf(buffer, sizeof buffer, "%s%.6g", i ? ", " : "", value[i]);
      joined += buffer;
    }
    return "[" + joined + (count > 4 ? ", ...]" : "]");
  }
};

BoxNumbers read_box(json::value value) {
  json::array array;
  if (value.get_array().get(array) != simdjson::SUCCESS) throw Fault{"box is " + token_of(value) + ", not a list"};
  BoxNumbers box;
  for (auto element : array) {
    const double number = read_number(element.value(), "box");
    if (box.count < 4) box.value[box.count] = number;
    ++box.count;
  }
  return box;
}

// One entry of an array: reads what it can, keeps the first fault, and leaves judging to the caller, who knows the ids.
struct Entry {
  bool has_id = false, has_image = false, has_category = false, has_area = false;
  std::string fault;

  template <class Read>
  void attempt(Read read) {
    try {
      read();
    } catch (const Fault& f) {
      if (fault.empty()) fault = f.text;
    }
  }
};

int checked_side(std::int64_t side, const char* field) {
  if (side < 1 || side > 1'000'000) throw Fault{std::string(field) + " is " + std::to_string(side)};
  return static_cast<int>(side);
}

class Reader {
 public:
  Reader(const std::string& path, const CocoFaultHandler& on_fault) : path_(path), on_fault_(on_fault) {}

  CocoFile read() {
    if (!std::filesystem::is_regular_file(path_)) throw Error("no such annotation file", path_);
    simdjson::padded_string text;
    if (const auto error = simdjson::padded_string::load(path_).get(text)) {
      throw Error(std::string("can't be read: ") + simdjson::error_message(error), path_);
    }
    json::parser parser;
    json::document document;
    try {
      document = parser.iterate(text);
      for (auto field : document.get_object()) {
        const std::string_view key = field.unescaped_key();
        if (key == "images") read_images(field.value());
        if (key == "annotations") read_annotations(field.value());
        if (key == "categories") read_categories(field.value());
      }
      const char* rest = nullptr;
      if (document.current_location().get(rest) == simdjson::SUCCESS) {
        throw Error("malformed JSON: more text after the closing brace", path_);
      }
    } catch (const simdjson::simdjson_error& e) {
      std::string place = in_.empty() ? "" : " in " + in_ + "[" + std::to_string(index_) + "]";
      const char* at = nullptr;
      // simdjson knows no place, and would crash, for a document that it gave up or never began.
      if (document.is_alive() && document.current_location().get(at) == simdjson::SUCCESS && at >= text.data()) {
        place += " near byte " + std::to_string(at - text.data());
      }
      throw Error("malformed JSON" + place + ": " + e.what(), path_);
    }
    require(have_images_, "images");
    require(have_annotations_, "annotations");
    require(have_categories_, "categories");
    check();
    return std::move(file_);
  }

 private:
  void require(bool have, const char* name) const {
    if (have) return;
    throw Error(std::string("there is no \"") + name + "\" list", path_,
                "a COCO detection file has images, annotations and categories");
  }

  void fault(const std::string& text) const {
    if (!on_fault_) throw Error(text, path_, "`conclave data check` lists every fault of a set");
    on_fault_(text);
  }

  void read_images(json::value list) {
    have_images_ = true;
    enter("images");
    for (auto element : list.get_array()) {
      CocoImage image;
      Entry entry;
      for (auto field : element.get_object()) {
        const std::string_view key = field.unescaped_key();
        json::value value = field.value();
        if (key == "id") entry.attempt([&] { image.id = read_integer(value, "id"), entry.has_id = true; });
        if (key == "file_name") entry.attempt([&] { image.file_name = read_text(value, "file_name"); });
        if (key == "width") entry.attempt([&] { image.width = checked_side(read_integer(value, "width"), "width"); });
        if (key == "height") {
          entry.attempt([&] { image.height = checked_side(read_integer(value, "height"), "height"); });
        }
      }
      if (!entry.has_id && entry.fault.empty()) entry.fault = "it has no id";
      if (image.file_name.empty() && entry.fault.empty()) entry.fault = "it has no file_name";
      if (entry.fault.empty() && !image_ids_.insert(image.id).second) entry.fault = "another image has the same id";
      if (entry.fault.empty()) {
        file_.images.push_back(std::move(image));
      } else {
        const std::string name = entry.has_id ? "image " + std::to_string(image.id) : "images[" + index() + "]";
        faults_.push_back(name + ": " + entry.fault);
      }
      ++index_;
    }
  }

  void read_categories(json::value list) {
    have_categories_ = true;
    enter("categories");
    std::unordered_set<std::string> names;
    for (auto element : list.get_array()) {
      CocoCategory category;
      Entry entry;
      for (auto field : element.get_object()) {
        const std::string_view key = field.unescaped_key();
        json::value value = field.value();
        if (key == "id") entry.attempt([&] { category.id = read_integer(value, "id"), entry.has_id = true; });
        if (key == "name") entry.attempt([&] { category.name = read_text(value, "name"); });
      }
      if (!entry.has_id && entry.fault.empty()) entry.fault = "it has no id";
      if (category.name.empty() && entry.fault.empty()) entry.fault = "it has no name";
      if (entry.fault.empty() && !category_ids_.insert(category.id).second) {
        entry.fault = "another category has the same id";
      }
      if (entry.fault.empty() && !names.insert(category.name).second) {
        entry.fault = "another category is named \"" + category.name + "\" too";
      }
      if (entry.fault.empty()) {
        file_.categories.push_back(std::move(category));
      } else {
        const std::string name =
            entry.has_id ? "category " + std::to_string(category.id) : "categories[" + index() + "]";
        faults_.push_back(name + ": " + entry.fault);
      }
      ++index_;
    }
  }

  void read_annotations(json::value list) {
    have_annotations_ = true;
    enter("annotations");
    for (auto element : list.get_array()) {
      CocoAnnotation a;
      Entry entry;
      BoxNumbers box;
      for (auto field : element.get_object()) {
        const std::string_view key = field.unescaped_key();
        json::value value = field.value();
        if (key == "id") entry.attempt([&] { a.id = read_integer(value, "id"), entry.has_id = true; });
        if (key == "image_id") {
          entry.attempt([&] { a.image_id = read_integer(value, "image_id"), entry.has_image = true; });
        }
        if (key == "category_id") {
          entry.attempt([&] { a.category_id = read_integer(value, "category_id"), entry.has_category = true; });
        }
        if (key == "bbox") entry.attempt([&] { box = read_box(value); });
        if (key == "area") entry.attempt([&] { a.area = read_number(value, "area"), entry.has_area = true; });
        if (key == "iscrowd") entry.attempt([&] { a.crowd = read_flag(value, "iscrowd"); });
      }
      std::tie(a.x, a.y, a.width, a.height) = std::tie(box.value[0], box.value[1], box.value[2], box.value[3]);
      if (!entry.has_area) a.area = a.width * a.height;
      if (!entry.has_id) a.id = static_cast<std::int64_t>(index_);
      if (entry.fault.empty()) entry.fault = fault_of(a, box, entry);
      if (entry.fault.empty() && entry.has_id && !annotation_ids_.insert(a.id).second) {
        entry.fault = "another annotation has the same id";
      }
      if (entry.fault.empty()) {
        file_.annotations.push_back(a);
      } else {
        faults_.push_back(name_of(a, entry) + ": " + entry.fault);
      }
      ++index_;
    }
  }

  static std::string fault_of(const CocoAnnotation& a, const BoxNumbers& box, const Entry& entry) {
    if (!entry.has_image) return "it has no image_id";
    if (!entry.has_category) return "it has no category_id";
    if (box.count == 0) return "it has no box";
    if (box.count != 4) return "box is " + box.text() + ", not four numbers";
    for (const double number : box.value) {
      if (!std::isfinite(number) || std::abs(number) > 1e7) return "box is " + box.text();
    }
    if (a.width < 0 || a.height < 0) return "box is " + box.text() + ": width and height must not be negative";
    if (!std::isfinite(a.area) || a.area < 0) return "area is " + std::to_string(a.area);
    return {};
  }

  std::string name_of(const CocoAnnotation& a, const Entry& entry) const {
    const std::string name = entry.has_id ? "annotation " + std::to_string(a.id) : "annotations[" + index() + "]";
    return entry.has_image ? name + " (image " + std::to_string(a.image_id) + ")" : name;
  }

  // The lists may come in any order, so what points into another list is looked at last.
  void check() {
    for (const std::string& text : faults_) fault(text);
    std::vector<CocoAnnotation> sound;
    sound.reserve(file_.annotations.size());
    for (const CocoAnnotation& a : file_.annotations) {
      const bool image = image_ids_.contains(a.image_id), category = category_ids_.contains(a.category_id);
      if (image && category) {
        sound.push_back(a);
        continue;
      }
      const std::string name = "annotation " + std::to_string(a.id) + " (image " + std::to_string(a.image_id) + "): ";
      fault(name + (image ? "unknown category " + std::to_string(a.category_id)
                          : "there is no image " + std::to_string(a.image_id)));
    }
    file_.annotations = std::move(sound);
  }

  void enter(const char* list) {
    in_ = list;
    index_ = 0;
  }
  std::string index() const { return std::to_string(index_); }

  const std::string path_;
  const CocoFaultHandler& on_fault_;
  CocoFile file_;
  std::vector<std::string> faults_;
  std::unordered_set<std::int64_t> image_ids_, annotation_ids_, category_ids_;
  bool have_images_ = false, have_annotations_ = false, have_categories_ = false;
  std::string in_;         // the list being read
  std::size_t index_ = 0;  // and the position in it
};

}  // namespace

CocoFile read_coco(const std::string& path, const CocoFaultHandler& on_fault) {
  return Reader(path, on_fault).read();
}

}  // namespace conclave
