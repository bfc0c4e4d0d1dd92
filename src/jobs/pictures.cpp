#include "jobs/pictures.h"

#include "core/file.h"
#include "jobs/html.h"
#include "jobs/json_fields.h"

namespace conclave {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLargestPicture = std::size_t{16} << 20;

std::string mime_of(const fs::path& file) {
  const std::string extension = file.extension().string();
  if (extension == ".jpg" || extension == ".jpeg") return "image/jpeg";
  return extension == ".png" ? "image/png" : "";
}

std::string tile_html(const PictureTile& tile, const std::string& group, const fs::path& folder) {
  const std::string name = tile.caption.empty() ? tile.file : tile.caption;
  const std::string caption =
      "<figcaption><b>" + escape_html(name) + "</b> " + escape_html(tile.note) + "</figcaption>";
  const auto left_out = [&](const std::string& why) {
    return "<figure><p class=\"note\">" + escape_html(tile.file + " " + why) + "</p>" + caption + "</figure>\n";
  };
  const fs::path file = fs::path(tile.file).lexically_normal();
  if (file.is_absolute() || file.empty() || *file.begin() == "..")
    return left_out("lies outside the run and is left out.");
  const std::string mime = mime_of(file);
  if (mime.empty()) return left_out("is neither JPEG nor PNG and is left out.");
  std::error_code error;
  const fs::path real = fs::weakly_canonical(folder / file, error);
  const fs::path inside = real.lexically_relative(fs::weakly_canonical(folder, error));
  if (!fs::is_regular_file(real, error)) return left_out("is missing.");
  if (inside.empty() || *inside.begin() == "..") return left_out("lies outside the run and is left out.");
  return "<figure><img alt=\"" + escape_html(group + ": " + name) + "\" src=\"data:" + mime + ";base64," +
         base64(read_file(real, kLargestPicture)) + "\">" + caption + "</figure>\n";
}

bool is_colour(const std::string& text) {
  return text.size() == 7 && text[0] == '#' && text.find_first_not_of("0123456789abcdefABCDEF", 1) == std::string::npos;
}

std::string key_html(const std::vector<PictureColour>& key) {
  if (key.empty()) return {};
  std::string out = "<ul class=\"legend\">";
  for (const PictureColour& each : key) {
    out += "<li><i class=\"swatch\" style=\"background:" + each.colour + "\"></i><span>" + escape_html(each.name) +
           "</span></li>";
  }
  return out + "</ul>\n";
}

}  // namespace

Pictures read_pictures(const JsonFields& parent) {
  Pictures pictures;
  for (const JsonFields& f : parent.objects("pictures")) {
    PictureGroup group{f.text("title"), f.text("note"), {}};
    for (const JsonFields& tile : f.objects("tiles")) {
      group.tiles.push_back({tile.text("file"), tile.text("caption"), tile.text("note")});
    }
    pictures.groups.push_back(std::move(group));
  }
  for (const JsonFields& f : parent.objects("picture_key")) {
    if (is_colour(f.text("colour"))) pictures.key.push_back({f.text("name"), f.text("colour")});
  }
  return pictures;
}

std::string pictures_html(const Pictures& pictures, const fs::path& folder) {
  if (pictures.groups.empty()) return {};
  std::string out =
      "<p class=\"note\">Above: the labels, or the boxes that count: of a student those above its own thresholds, of a "
      "teacher those scored 0.3 or more. Below: how probable each class is at each place, as colour over the "
      "photo.</p>\n" +
      key_html(pictures.key);
  for (const PictureGroup& group : pictures.groups) {
    out += "<div class=\"card pictures\"><h3>" + escape_html(group.title) + "</h3>";
    if (!group.note.empty()) out += "<p class=\"note\">" + escape_html(group.note) + "</p>";
    out += "<div class=\"tilegrid\">\n";
    for (const PictureTile& tile : group.tiles) out += tile_html(tile, group.title, folder);
    out += "</div></div>\n";
  }
  return out;
}

}  // namespace conclave
