#include "teachers/frame.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "teachers/byte_stream.h"

namespace conclave {
namespace {

using namespace frame_limits;

enum class Type : std::uint8_t {
  kHello = 1,
  kWelcome = 2,
  kRefusal = 3,
  kCredit = 4,
  kLease = 5,
  kResult = 6,
  kFailure = 7,
  kHeartbeat = 8,
  kGoodbye = 9,
  kStranger = 10,
};

ByteWriter start(Type type) {
  ByteWriter out;
  out.bytes(kFrameMagic);
  out.u16(kProtocolVersion);
  out.u8(static_cast<std::uint8_t>(type));
  out.u8(0);
  return out;
}

void write_text(ByteWriter& out, const std::string& text, std::size_t limit, const char* field) {
  if (text.size() > limit)
    throw Error(std::string(field) + " is longer than " + std::to_string(limit) + " bytes", text.substr(0, 200));
  out.u16(static_cast<std::uint16_t>(text.size()));
  out.bytes(text);
}

// Cut to its limit without leaving half a UTF-8 character.
void write_reason(ByteWriter& out, std::string reason) {
  if (reason.size() > kReason) {
    std::size_t end = kReason;
    while (end > 0 && (static_cast<unsigned char>(reason[end]) & 0xc0) == 0x80) --end;
    reason.resize(end);
  }
  for (char& c : reason) {
    if (static_cast<unsigned char>(c) < 0x20 && c != '\n') c = ' ';
  }
  write_text(out, reason, kReason, "a reason");
}

// Text ends up in logs and on terminals: no control characters; a line break only in reasons.
std::string read_text(ByteReader& in, std::size_t limit, bool lines = false) {
  const std::size_t size = in.u16();
  if (size > limit) in.fail("a text longer than " + std::to_string(limit) + " bytes");
  const std::string_view text = in.bytes(size);
  for (char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 && !(lines && c == '\n')) in.fail("a control character in a text");
  }
  return std::string(text);
}

int read_int(std::uint32_t value, int low, int high, ByteReader& in, const char* field) {
  if (value < static_cast<std::uint32_t>(low) || value > static_cast<std::uint32_t>(high)) {
    in.fail(std::string(field) + " " + std::to_string(value) + " is not in [" + std::to_string(low) + ", " +
            std::to_string(high) + "]");
  }
  return static_cast<int>(value);
}

double read_double(ByteReader& in, double low, double high, const char* field) {
  const double value = in.f64();
  if (!(value >= low && value <= high)) in.fail(std::string(field) + " is out of range");
  return value;
}

bool read_bool(ByteReader& in) {
  return read_int(in.u8(), 0, 1, in, "a yes or no") == 1;
}

OfferedTeacher read_teacher(ByteReader& in) {
  OfferedTeacher teacher;
  teacher.name = read_text(in, kName);
  teacher.hash = read_text(in, kName);
  teacher.engine.threads = read_int(in.u16(), 1, kThreads, in, "threads");
  teacher.engine.bf16 = read_bool(in);
  teacher.engine.channels_last = read_bool(in);
  const int classes = read_int(in.u16(), 1, static_cast<int>(kClasses), in, "the number of classes");
  for (int i = 0; i < classes; ++i) teacher.classes.push_back(read_text(in, kName));
  return teacher;
}

Hello parse_hello(ByteReader& in) {
  Hello hello;
  hello.instance = in.u64();
  hello.worker = read_text(in, kName);
  const int teachers = read_int(in.u16(), 1, kTeachers, in, "the number of teachers");
  for (int i = 0; i < teachers; ++i) hello.teachers.push_back(read_teacher(in));
  return hello;
}

Welcome parse_welcome(ByteReader& in) {
  Welcome welcome;
  welcome.session = in.u64();
  welcome.max_lease =
      static_cast<std::size_t>(read_int(in.u32(), 1, static_cast<int>(kMessage), in, "the size of leases"));
  welcome.heartbeat_seconds = read_double(in, 1e-3, kSeconds, "the heartbeat");
  ViewOptions& views = welcome.views;
  for (int* side : {&views.width, &views.height}) {
    *side = read_int(in.u32(), 32, kViewSide, in, "the size of views");
    if (*side % 32 != 0) in.fail("the size of views is not a multiple of 32");
  }
  views.flip = read_double(in, 0, 1, "flip");
  views.scale_min = read_double(in, 1e-3, 1e3, "scale_min");
  views.scale_max = read_double(in, views.scale_min, 1e3, "scale_max");
  views.shift = read_double(in, 0, 10, "shift");
  views.brightness = read_double(in, 0, 1, "brightness");
  views.contrast = read_double(in, 0, 1, "contrast");
  views.saturation = read_double(in, 0, 1, "saturation");
  views.min_visible = read_double(in, 0, 1, "min_visible");
  views.hue = read_double(in, 0, 1, "hue");
  views.grey = read_double(in, 0, 1, "grey");
  views.blur = read_double(in, 0, 1, "blur");
  views.blur_min = read_double(in, kLeastBlur, kMostBlur, "blur_min");
  views.blur_max = read_double(in, views.blur_min, kMostBlur, "blur_max");
  views.erase = read_double(in, 0, 1, "erase");
  views.erase_min = read_double(in, 0, 1, "erase_min");
  views.erase_max = read_double(in, views.erase_min, 1, "erase_max");
  views.mosaic = read_double(in, 0, 1, "mosaic");
  views.mosaic_min = read_double(in, 1e-3, 1e3, "mosaic_min");
  views.mosaic_max = read_double(in, views.mosaic_min, 1e3, "mosaic_max");
  views.mix = read_double(in, 0, 1, "mix");
  views.mix_min = read_double(in, 0, 1, "mix_min");
  views.mix_max = read_double(in, views.mix_min, 1, "mix_max");
  welcome.sparse.floor = in.f32();
  if (!(welcome.sparse.floor >= 0 && welcome.sparse.floor < 1)) in.fail("the floor is out of range");
  welcome.sparse.boxes = static_cast<BoxRule>(read_int(in.u8(), 0, 1, in, "the box rule"));
  welcome.sparse.box_floor = in.f32();
  if (!(welcome.sparse.box_floor >= 0 && welcome.sparse.box_floor < 1)) in.fail("the box floor is out of range");
  return welcome;
}

Credit parse_credit(ByteReader& in) {
  Credit credit;
  credit.session = in.u64();
  credit.leases = in.u64();
  credit.bytes = in.u64();
  return credit;
}

// An image's size, path and, when it travels along, the file.
void read_image(ByteReader& in, int& width, int& height, std::string& path, std::shared_ptr<const std::string>& image) {
  width = read_int(in.u32(), 1, kImageSide, in, "the image's width");
  height = read_int(in.u32(), 1, kImageSide, in, "the image's height");
  path = read_text(in, kPath);
  if (!read_bool(in)) return;
  const std::size_t size = in.u32();
  image = std::make_shared<const std::string>(in.bytes(size));
}

void write_image(ByteWriter& out, const ImageFile& file) {
  out.u32(static_cast<std::uint32_t>(file.width));
  out.u32(static_cast<std::uint32_t>(file.height));
  write_text(out, file.path, kPath, "the image's path");
  out.u8(file.image != nullptr);
  if (!file.image) return;
  if (file.image->size() > kMessage) throw Error("the image file is too large for a message", file.path);
  out.u32(static_cast<std::uint32_t>(file.image->size()));
  out.bytes(*file.image);
}

Lease parse_lease(ByteReader& in) {
  Lease lease;
  lease.session = in.u64();
  lease.number = in.u64();
  lease.id = in.u64();
  lease.token = in.u64();
  lease.teacher = read_int(in.u16(), 0, kTeachers - 1, in, "the teacher");
  const int count = read_int(in.u16(), 1, kViews, in, "the number of views");
  for (int i = 0; i < count; ++i) {
    TargetRequest& view = lease.views.emplace_back();
    view.key.dataset = in.u32();
    view.key.image = in.u32();
    view.key.seed = in.u64();
    read_image(in, view.width, view.height, view.path, view.image);
    view.further.resize(static_cast<std::size_t>(read_int(in.u8(), 0, kFurther, in, "the number of further images")));
    for (ImageFile& file : view.further) read_image(in, file.width, file.height, file.path, file.image);
  }
  return lease;
}

Result parse_result(ByteReader& in) {
  Result result;
  result.session = in.u64();
  result.lease = in.u64();
  result.token = in.u64();
  const int count = read_int(in.u16(), 1, kViews, in, "the number of records");
  for (int i = 0; i < count; ++i) {
    const std::size_t size = in.u32();
    result.records.emplace_back(in.bytes(size));
  }
  return result;
}

Failure parse_failure(ByteReader& in) {
  Failure failure;
  failure.session = in.u64();
  failure.lease = in.u64();
  failure.token = in.u64();
  failure.view = in.u16();
  failure.reason = read_text(in, kReason, true);
  return failure;
}

Heartbeat parse_heartbeat(ByteReader& in) {
  Heartbeat heartbeat;
  heartbeat.session = in.u64();
  heartbeat.leases = in.u64();
  const int ranks = read_int(in.u16(), 0, kRanks, in, "the number of ranks");
  for (int i = 0; i < ranks; ++i) heartbeat.ranks.push_back(read_text(in, kName));
  return heartbeat;
}

Frame parse_body(Type type, ByteReader& in) {
  switch (type) {
    case Type::kHello:
      return parse_hello(in);
    case Type::kWelcome:
      return parse_welcome(in);
    case Type::kRefusal:
      return Refusal{read_text(in, kReason, true)};
    case Type::kCredit:
      return parse_credit(in);
    case Type::kLease:
      return parse_lease(in);
    case Type::kResult:
      return parse_result(in);
    case Type::kFailure:
      return parse_failure(in);
    case Type::kHeartbeat:
      return parse_heartbeat(in);
    case Type::kGoodbye:
      return Goodbye{};
    case Type::kStranger:
      return Stranger{};
  }
  in.fail("unknown type " + std::to_string(static_cast<int>(type)));
}

}  // namespace

bool operator==(const Lease& a, const Lease& b) {
  return a.session == b.session && a.number == b.number && a.id == b.id && a.token == b.token &&
         a.teacher == b.teacher && a.views == b.views;
}

std::string encode(const Hello& hello) {
  ByteWriter out = start(Type::kHello);
  out.u64(hello.instance);
  write_text(out, hello.worker, kName, "the worker's name");
  if (hello.teachers.empty() || hello.teachers.size() > kTeachers) throw Error("too many teachers, or none");
  out.u16(static_cast<std::uint16_t>(hello.teachers.size()));
  for (const OfferedTeacher& teacher : hello.teachers) {
    write_text(out, teacher.name, kName, "the teacher's name");
    write_text(out, teacher.hash, kName, "the hash");
    out.u16(static_cast<std::uint16_t>(teacher.engine.threads));
    out.u8(teacher.engine.bf16);
    out.u8(teacher.engine.channels_last);
    if (teacher.classes.empty() || teacher.classes.size() > kClasses)
      throw Error("too many classes, or none", teacher.name);
    out.u16(static_cast<std::uint16_t>(teacher.classes.size()));
    for (const std::string& name : teacher.classes) write_text(out, name, kName, "a class's name");
  }
  return out.take();
}

std::string encode(const Welcome& welcome) {
  ByteWriter out = start(Type::kWelcome);
  out.u64(welcome.session);
  out.u32(static_cast<std::uint32_t>(welcome.max_lease));
  out.f64(welcome.heartbeat_seconds);
  const ViewOptions& views = welcome.views;
  out.u32(static_cast<std::uint32_t>(views.width));
  out.u32(static_cast<std::uint32_t>(views.height));
  for (double value :
       {views.flip,       views.scale_min,   views.scale_max, views.shift,     views.brightness, views.contrast,
        views.saturation, views.min_visible, views.hue,       views.grey,      views.blur,       views.blur_min,
        views.blur_max,   views.erase,       views.erase_min, views.erase_max, views.mosaic,     views.mosaic_min,
        views.mosaic_max, views.mix,         views.mix_min,   views.mix_max}) {
    out.f64(value);
  }
  out.f32(welcome.sparse.floor);
  out.u8(static_cast<std::uint8_t>(welcome.sparse.boxes));
  out.f32(welcome.sparse.box_floor);
  return out.take();
}

std::string encode(const Refusal& refusal) {
  ByteWriter out = start(Type::kRefusal);
  write_reason(out, refusal.reason);
  return out.take();
}

std::string encode(const Credit& credit) {
  ByteWriter out = start(Type::kCredit);
  out.u64(credit.session);
  out.u64(credit.leases);
  out.u64(credit.bytes);
  return out.take();
}

std::string encode(const Lease& lease) {
  ByteWriter out = start(Type::kLease);
  out.u64(lease.session);
  out.u64(lease.number);
  out.u64(lease.id);
  out.u64(lease.token);
  out.u16(static_cast<std::uint16_t>(lease.teacher));
  out.u16(static_cast<std::uint16_t>(lease.views.size()));
  for (const TargetRequest& view : lease.views) {
    out.u32(view.key.dataset);
    out.u32(view.key.image);
    out.u64(view.key.seed);
    write_image(out, {view.path, view.width, view.height, view.image});
    if (view.further.size() > kFurther) throw Error("a view of too many images", view.path);
    out.u8(static_cast<std::uint8_t>(view.further.size()));
    for (const ImageFile& file : view.further) write_image(out, file);
  }
  return out.take();
}

std::string encode(const Result& result) {
  ByteWriter out = start(Type::kResult);
  out.u64(result.session);
  out.u64(result.lease);
  out.u64(result.token);
  out.u16(static_cast<std::uint16_t>(result.records.size()));
  for (const std::string& record : result.records) {
    if (record.size() > std::numeric_limits<std::uint32_t>::max())
      throw Error("a record is longer than 4 GiB", "frame");
    out.u32(static_cast<std::uint32_t>(record.size()));
    out.bytes(record);
  }
  return out.take();
}

std::string encode(const Failure& failure) {
  ByteWriter out = start(Type::kFailure);
  out.u64(failure.session);
  out.u64(failure.lease);
  out.u64(failure.token);
  out.u16(static_cast<std::uint16_t>(failure.view));
  write_reason(out, failure.reason);
  return out.take();
}

std::string encode(const Heartbeat& heartbeat) {
  ByteWriter out = start(Type::kHeartbeat);
  out.u64(heartbeat.session);
  out.u64(heartbeat.leases);
  if (heartbeat.ranks.size() > kRanks) throw Error("too many ranks");
  out.u16(static_cast<std::uint16_t>(heartbeat.ranks.size()));
  for (const std::string& address : heartbeat.ranks) write_text(out, address, kName, "a rank's address");
  return out.take();
}

std::string encode(const Goodbye&) {
  return start(Type::kGoodbye).take();
}
std::string encode(const Stranger&) {
  return start(Type::kStranger).take();
}

std::size_t lease_bytes(const std::vector<TargetRequest>& views) {
  std::size_t bytes = 8 + 4 * 8 + 2 + 2;
  const auto add = [&bytes](std::size_t path, const std::shared_ptr<const std::string>& image) {
    bytes += 4 + 4 + 2 + path + 1 + (image ? 4 + image->size() : 0);
  };
  for (const TargetRequest& view : views) {
    bytes += 4 + 4 + 8 + 1;
    add(view.path.size(), view.image);
    for (const ImageFile& file : view.further) add(file.path.size(), file.image);
  }
  return bytes;
}

std::size_t largest_result(int views, std::size_t record) {
  return 8 + 3 * 8 + 2 + static_cast<std::size_t>(views) * (4 + record);
}

Frame parse_frame(std::string_view bytes) {
  ByteReader in(bytes, "frame");
  if (in.bytes(std::min(kFrameMagic.size(), bytes.size())) != kFrameMagic) in.fail("not a frame of this protocol");
  const int version = in.u16();
  const auto type = static_cast<Type>(in.u8());
  if (version != kProtocolVersion && type != Type::kRefusal) return OtherVersion{version};
  if (in.u8() != 0) in.fail("a reserved byte is set");
  Frame frame = parse_body(type, in);
  in.end();
  return frame;
}

}  // namespace conclave
