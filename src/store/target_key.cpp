#include "store/target_key.h"

#include <charconv>
#include <nlohmann/json.hpp>
#include <span>

#include "core/hash.h"
#include "datasets/view_recipe.h"
#include "teachers/byte_stream.h"

namespace conclave {
namespace {

// Grows when draw_view, the engine or sparsify give other bits for the same arguments.
constexpr std::uint8_t kKeyVersion = 2;

std::uint8_t nibble(char digit) {
  return static_cast<std::uint8_t>(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

std::array<std::uint8_t, 16> first_128_bits(std::string_view bytes) {
  const std::string digits = sha256(std::as_bytes(std::span(bytes)));
  std::array<std::uint8_t, 16> out;
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<std::uint8_t>(nibble(digits[2 * i]) << 4 | nibble(digits[2 * i + 1]));
  }
  return out;
}

// 0.05f as 0.05, not as 0.0500000007.
double as_written(float value) {
  char text[32];
  const std::to_chars_result end = std::to_chars(text, text + sizeof text, value);
  double shown = 0;
  std::from_chars(text, end.ptr, shown);
  return shown;
}

const char* name_of(BoxRule rule) {
  return rule == BoxRule::kAbove ? "above" : "peaks";
}

}  // namespace

ImageContent image_content(std::string_view bytes) {
  return first_128_bits(bytes);
}

TeacherKey::TeacherKey(const ExpectedTeacher& teacher, const SparseOptions& sparse) {
  ByteWriter out;
  out.bytes("conclave target");
  out.u8(kKeyVersion);
  out.u16(static_cast<std::uint16_t>(teacher.hash.size()));
  out.bytes(teacher.hash);
  out.u16(static_cast<std::uint16_t>(teacher.engine.threads));
  out.u8(teacher.engine.bf16);
  out.u8(teacher.engine.channels_last);
  out.f32(sparse.floor);
  out.u8(static_cast<std::uint8_t>(sparse.boxes));
  out.f32(sparse.box_floor);
  bytes = out.take();
}

TargetKey target_key(const TeacherKey& teacher, const std::vector<ImageContent>& images, const TargetRequest& view,
                     const ViewOptions& options) {
  std::vector<ImageSize> sizes;
  for (const ImageFile& file : images_of(view)) sizes.push_back({file.width, file.height});
  const ViewRecipe recipe = view_recipe(view.key, sizes, options);
  ByteWriter out;
  const auto add_image = [&](std::size_t i) {
    out.bytes({reinterpret_cast<const char*>(images.at(i).data()), images[i].size()});
  };
  const auto add_affine = [&](const Affine& affine) {
    for (const double value : {affine.a, affine.b, affine.c, affine.d, affine.e, affine.f}) out.f64(value);
  };
  const auto add_area = [&](const ViewArea& area) {
    for (const int value : {area.x0, area.y0, area.x1, area.y1}) out.u32(static_cast<std::uint32_t>(value));
  };
  out.bytes(teacher.bytes);
  add_image(0);
  out.u32(static_cast<std::uint32_t>(options.width));
  out.u32(static_cast<std::uint32_t>(options.height));
  add_affine(recipe.parts[0].image_to_view);
  for (const double value : {recipe.brightness, recipe.contrast, recipe.saturation}) out.f64(value);
  if (recipe.parts.size() == 1 && recipe.hue == 0 && recipe.blur == 0 && recipe.erased.empty()) {
    return {first_128_bits(out.str())};
  }
  for (const double value : {recipe.hue, recipe.blur, recipe.mix}) out.f64(value);
  add_area(recipe.erased);
  add_area(recipe.parts[0].area);
  for (std::size_t i = 1; i < recipe.parts.size(); ++i) {
    add_image(i);
    add_affine(recipe.parts[i].image_to_view);
    add_area(recipe.parts[i].area);
  }
  return {first_128_bits(out.str())};
}

std::string describe(const ExpectedTeacher& teacher, const ViewOptions& views, const SparseOptions& sparse) {
  nlohmann::ordered_json text{{"teacher", teacher.name},
                              {"hash", teacher.hash},
                              {"classes", teacher.classes},
                              {"threads", teacher.engine.threads},
                              {"bf16", teacher.engine.bf16},
                              {"channels_last", teacher.engine.channels_last},
                              {"floor", as_written(sparse.floor)},
                              {"boxes", name_of(sparse.boxes)},
                              {"box_floor", as_written(sparse.box_floor)},
                              {"size", {views.width, views.height}},
                              {"flip", views.flip},
                              {"scale", {views.scale_min, views.scale_max}},
                              {"shift", views.shift},
                              {"jitter", {views.brightness, views.contrast, views.saturation}}};
  if (views.hue > 0) text["hue"] = views.hue;
  if (views.grey > 0) text["grey"] = views.grey;
  if (views.blur > 0) text["blur"] = {views.blur, views.blur_min, views.blur_max};
  if (views.erase > 0) text["erase"] = {views.erase, views.erase_min, views.erase_max};
  if (views.mosaic > 0) text["mosaic"] = {views.mosaic, views.mosaic_min, views.mosaic_max};
  if (views.mix > 0) text["mix"] = {views.mix, views.mix_min, views.mix_max};
  return text.dump();
}

}  // namespace conclave
