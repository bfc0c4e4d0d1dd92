#include "store/target_key.h"

#include <charconv>
#include <nlohmann/json.hpp>
#include <span>

#include "core/hash.h"
#include "teachers/byte_stream.h"

namespace conclave {
namespace {

// Grows when draw_view, the engine or sparsify give other bits for the same arguments.
constexpr std::uint8_t kKeyVersion = 1;

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
  return rule == BoxRule::kPositive ? "positive" : "peaks";
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
  bytes = out.take();
}

TargetKey target_key(const TeacherKey& teacher, const ImageContent& image, const ViewKey& view, int width, int height,
                     const ViewOptions& options) {
  const ViewGeometry geometry = view_geometry(view, width, height, options);
  const Affine& affine = geometry.image_to_view;
  ByteWriter out;
  out.bytes(teacher.bytes);
  out.bytes({reinterpret_cast<const char*>(image.data()), image.size()});
  out.u32(static_cast<std::uint32_t>(options.width));
  out.u32(static_cast<std::uint32_t>(options.height));
  for (const double value : {affine.a, affine.b, affine.c, affine.d, affine.e, affine.f, geometry.brightness,
                             geometry.contrast, geometry.saturation}) {
    out.f64(value);
  }
  return {first_128_bits(out.str())};
}

std::string describe(const ExpectedTeacher& teacher, const ViewOptions& views, const SparseOptions& sparse) {
  return nlohmann::ordered_json{{"teacher", teacher.name},
                                {"hash", teacher.hash},
                                {"classes", teacher.classes},
                                {"threads", teacher.engine.threads},
                                {"bf16", teacher.engine.bf16},
                                {"channels_last", teacher.engine.channels_last},
                                {"floor", as_written(sparse.floor)},
                                {"boxes", name_of(sparse.boxes)},
                                {"size", {views.width, views.height}},
                                {"flip", views.flip},
                                {"scale", {views.scale_min, views.scale_max}},
                                {"shift", views.shift},
                                {"jitter", {views.brightness, views.contrast, views.saturation}}}
      .dump();
}

}  // namespace conclave
