#include "core/tensor_header.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "core/error.h"

namespace conclave {
namespace {

constexpr std::pair<const char*, DType> kDTypes[] = {
    {"BOOL", DType::kBool}, {"U8", DType::kU8},   {"I8", DType::kI8},     {"I16", DType::kI16}, {"I32", DType::kI32},
    {"I64", DType::kI64},   {"F16", DType::kF16}, {"BF16", DType::kBF16}, {"F32", DType::kF32}, {"F64", DType::kF64}};

// Follows {"name": {"dtype": s, "shape": [n...], "data_offsets": [b, e]}, "__metadata__": {s: s}} event by event.
class HeaderReader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderReader(const std::string& where) : where_(where) {}

  TensorHeader take() { return std::move(header_); }

  bool start_object(std::size_t) override {
    switch (state_) {
      case State::kStart:
        state_ = State::kFile;
        return true;
      case State::kFileValue:
        if (key_ == "__metadata__") {
          state_ = State::kMetadata;
        } else {
          state_ = State::kTensor;
          header_.tensors.emplace_back().name = key_;
          has_dtype_ = has_shape_ = false;
          offsets_.clear();
        }
        return true;
      default:
        unexpected("an object");
    }
  }

  bool key(std::string& name) override {
    key_ = name;
    switch (state_) {
      case State::kFile:
        if (!names_.insert(name).second) fail("the name stands twice in the header");
        state_ = State::kFileValue;
        return true;
      case State::kMetadata:
        if (header_.metadata.count(name)) fail("the metadata key '" + printable_name(name) + "' stands twice");
        state_ = State::kMetadataValue;
        return true;
      default:  // kTensor: the only other state in which an object is open
        return tensor_key(name);
    }
  }

  bool end_object() override {
    if (state_ == State::kTensor) {
      if (!has_dtype_ || !has_shape_ || offsets_.size() != 2) fail("dtype, shape or data_offsets is missing");
      tensor().begin = offsets_[0];
      tensor().end = offsets_[1];
      state_ = State::kFile;
    } else {
      state_ = state_ == State::kMetadata ? State::kFile : State::kEnd;
    }
    return true;
  }

  bool start_array(std::size_t) override {
    if (state_ == State::kShapeValue) return to(State::kShape);
    if (state_ == State::kOffsetsValue) return to(State::kOffsets);
    unexpected("a list");
  }

  bool end_array() override {
    if (state_ == State::kOffsets && offsets_.size() != 2) fail("data_offsets must hold two numbers");
    return to(State::kTensor);
  }

  bool string(std::string& value) override {
    if (state_ == State::kMetadataValue) {
      header_.metadata.emplace(key_, value);
      return to(State::kMetadata);
    }
    if (state_ != State::kDType) unexpected("a string");
    for (const auto& [name, dtype] : kDTypes) {
      if (value != name) continue;
      tensor().dtype = dtype;
      has_dtype_ = true;
      return to(State::kTensor);
    }
    fail("unknown dtype '" + printable_name(value) + "'");
  }

  bool number_unsigned(std::uint64_t value) override {
    if (state_ == State::kShape) {
      if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) fail("the shape overflows");
      if (tensor().shape.size() == kMaxTensorRank) fail("more than 16 dimensions");
      tensor().shape.push_back(static_cast<std::int64_t>(value));
    } else if (state_ == State::kOffsets) {
      if (offsets_.size() == 2) fail("data_offsets must hold two numbers");
      offsets_.push_back(value);
    } else {
      unexpected("a number");
    }
    return true;
  }

  bool number_integer(std::int64_t) override {
    if (state_ == State::kShape || state_ == State::kOffsets) fail("a shape or an offset is negative");
    unexpected("a number");
  }
  bool number_float(double, const std::string&) override { unexpected("a number with a fraction, or too large"); }
  bool boolean(bool) override { unexpected("a boolean"); }
  bool null() override { unexpected("null"); }
  bool binary(nlohmann::json::binary_t&) override { unexpected("binary"); }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    throw Error("the header is not valid JSON at byte " + std::to_string(position + 8), where_);
  }

 private:
  enum class State {
    kStart,
    kFile,
    kFileValue,
    kMetadata,
    kMetadataValue,
    kTensor,
    kDType,
    kShapeValue,
    kShape,
    kOffsetsValue,
    kOffsets,
    kEnd
  };

  bool to(State state) {
    state_ = state;
    return true;
  }

  TensorEntry& tensor() { return header_.tensors.back(); }

  bool tensor_key(const std::string& name) {
    if (name == "dtype" && !has_dtype_) return to(State::kDType);
    if (name == "shape" && !has_shape_) return has_shape_ = to(State::kShapeValue);
    if (name == "data_offsets" && offsets_.empty()) return to(State::kOffsetsValue);
    const bool known = name == "dtype" || name == "shape" || name == "data_offsets";
    fail((known ? "twice the key '" : "unknown key '") + printable_name(name) + "'");
  }

  [[noreturn]] void fail(const std::string& what) const {
    const bool inside = !header_.tensors.empty() && state_ >= State::kTensor && state_ < State::kEnd;
    const std::string& name = inside ? header_.tensors.back().name : key_;
    throw Error(what, name.empty() ? where_ : where_ + ": tensor '" + printable_name(name) + "'");
  }

  [[noreturn]] void unexpected(const std::string& what) const {
    fail("the header holds " + what + " in the wrong place");
  }

  const std::string& where_;
  TensorHeader header_;
  State state_ = State::kStart;
  std::string key_;
  std::set<std::string> names_;
  bool has_dtype_ = false, has_shape_ = false;
  std::vector<std::uint64_t> offsets_;
};

}  // namespace

const char* name_of(DType dtype) {
  for (const auto& [name, value] : kDTypes)
    if (value == dtype) return name;
  return "?";
}

TensorHeader parse_tensor_header(std::string_view json, const std::string& where) {
  const std::size_t zero = json.find('\0');  // to the parser, the end of the text
  if (zero != json.npos) throw Error("the header is not valid JSON at byte " + std::to_string(zero + 8), where);
  HeaderReader reader(where);
  nlohmann::json::sax_parse(json.begin(), json.end(), &reader);
  return reader.take();
}

std::string printable_name(const std::string& name) {
  std::string shown = name.substr(0, 80);
  for (char& c : shown)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return name.size() > 80 ? shown + "..." : shown;
}

}  // namespace conclave
