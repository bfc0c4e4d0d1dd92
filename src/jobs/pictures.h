#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace conclave {

class JsonFields;

// One picture of an image: its labels, or what one detector sees.
struct PictureTile {
  std::string file;           // relative to the folder that holds the page
  std::string caption, note;  // whose picture it is; what came out, may be empty
};

// The same image as everyone sees it.
struct PictureGroup {
  std::string title, note;  // note: why it is shown; may be empty
  std::vector<PictureTile> tiles;
};

// The colour in which a class is drawn: "#rrggbb".
struct PictureColour {
  std::string name, colour;
};

struct Pictures {
  std::vector<PictureGroup> groups;
  std::vector<PictureColour> key;
};

// {"pictures": [{"title", "note", "tiles": [{"file", "caption", "note"}]}], "picture_key": [{"name", "colour"}]} inside
// an object; empty where they are absent. Colours of another form are left out.
Pictures read_pictures(const JsonFields& parent);

// Every group with its pictures embedded, after the key. Only JPEG and PNG files inside `folder` are taken: a page that
// is passed on must not carry other files of the machine.
std::string pictures_html(const Pictures& pictures, const std::filesystem::path& folder);

}  // namespace conclave
