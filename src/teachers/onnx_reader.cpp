#include "teachers/onnx_reader.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "core/error.h"
#include "core/join.h"

namespace conclave {
namespace {

// What OpenCV 4.6's ONNX reader computes (its own graph simplifications included). Others fail there one by one, some
// with messages that help nobody.
const std::set<std::string_view>& known_operators() {
  static const std::set<std::string_view> known = {"Abs",
                                                   "Add",
                                                   "ArgMax",
                                                   "ArgMin",
                                                   "AveragePool",
                                                   "BatchNormalization",
                                                   "Cast",
                                                   "Ceil",
                                                   "Celu",
                                                   "Clip",
                                                   "Concat",
                                                   "Constant",
                                                   "ConstantFill",
                                                   "ConstantOfShape",
                                                   "Conv",
                                                   "ConvTranspose",
                                                   "Cos",
                                                   "CumSum",
                                                   "DepthToSpace",
                                                   "Div",
                                                   "Dropout",
                                                   "Elu",
                                                   "Equal",
                                                   "Erf",
                                                   "Exp",
                                                   "Expand",
                                                   "Flatten",
                                                   "Floor",
                                                   "Gather",
                                                   "Gemm",
                                                   "GlobalAveragePool",
                                                   "GlobalMaxPool",
                                                   "Greater",
                                                   "HardSigmoid",
                                                   "HardSwish",
                                                   "Identity",
                                                   "InstanceNormalization",
                                                   "LRN",
                                                   "LeakyRelu",
                                                   "Less",
                                                   "Log",
                                                   "LogSoftmax",
                                                   "MatMul",
                                                   "Max",
                                                   "MaxPool",
                                                   "Min",
                                                   "Mish",
                                                   "Mul",
                                                   "Neg",
                                                   "PRelu",
                                                   "Pad",
                                                   "Pow",
                                                   "ReduceL1",
                                                   "ReduceL2",
                                                   "ReduceLogSum",
                                                   "ReduceLogSumExp",
                                                   "ReduceMax",
                                                   "ReduceMean",
                                                   "ReduceMin",
                                                   "ReduceProd",
                                                   "ReduceSum",
                                                   "ReduceSumSquare",
                                                   "Relu",
                                                   "Reshape",
                                                   "Resize",
                                                   "Round",
                                                   "Selu",
                                                   "Shape",
                                                   "Sigmoid",
                                                   "Sign",
                                                   "Sin",
                                                   "Slice",
                                                   "Softmax",
                                                   "Softplus",
                                                   "Softsign",
                                                   "SpaceToDepth",
                                                   "Split",
                                                   "Sqrt",
                                                   "Squeeze",
                                                   "Sub",
                                                   "Sum",
                                                   "Tan",
                                                   "Tanh",
                                                   "ThresholdedRelu",
                                                   "Transpose",
                                                   "Unsqueeze",
                                                   "Upsample"};
  return known;
}

// Fields of onnx.proto.
namespace model_field {
constexpr int kGraph = 7, kOpset = 8, kMetadata = 14;
}
namespace graph_field {
constexpr int kNode = 1, kInitializer = 5, kInput = 11, kOutput = 12, kSparse = 15;
}
namespace node_field {
constexpr int kOutput = 2, kName = 3, kOperator = 4, kAttribute = 5, kDomain = 7;
}
namespace attribute_field {
constexpr int kTensor = 5, kGraph = 6, kTensors = 10, kGraphs = 11;
}
namespace tensor_field {
constexpr int kDims = 1, kType = 2, kFloats = 4, kInts = 5, kStrings = 6, kLongs = 7, kName = 8, kRaw = 9,
              kDoubles = 10, kUnsigned = 11, kExternal = 13, kLocation = 14;
}

class OnnxFault {
 public:
  explicit OnnxFault(const std::string& where) : where_(where) {}
  [[noreturn]] void damaged(const std::string& what) const {
    throw Error("is not a whole ONNX model: " + what, where_, "export or copy it again");
  }
  [[noreturn]] void refuse(const std::string& what, const std::string& hint) const { throw Error(what, where_, hint); }

 private:
  const std::string& where_;
};

struct WireField {
  int number = 0;
  int kind = 0;             // protobuf's wire type
  std::uint64_t value = 0;  // of kinds 0, 1 and 5
  std::string_view bytes;   // of kind 2
};

// The fields of one message, one after the other.
class WireMessage {
 public:
  WireMessage(std::string_view bytes, const OnnxFault& fault) : rest_(bytes), fault_(fault) {}

  std::optional<WireField> next() {
    if (rest_.empty()) return std::nullopt;
    WireField field;
    const std::uint64_t tag = varint();
    if (tag >> 3 == 0 || tag >> 3 > 0x1FFFFFFF) fault_.damaged("a field has no number");
    field.number = static_cast<int>(tag >> 3);
    field.kind = static_cast<int>(tag & 7);
    switch (field.kind) {
      case 0:
        field.value = varint();
        break;
      case 1:
        field.value = fixed(8);
        break;
      case 5:
        field.value = fixed(4);
        break;
      case 2:
        field.bytes = take(varint());
        break;
      default:
        fault_.damaged("a field is of kind " + std::to_string(field.kind));
    }
    return field;
  }

  // The elements of a repeated number, packed or single.
  static void numbers(const WireField& field, const OnnxFault& fault, std::vector<std::int64_t>& values) {
    if (field.kind == 0) {
      values.push_back(static_cast<std::int64_t>(field.value));
      return;
    }
    if (field.kind != 2) fault.damaged("a list of numbers is something else");
    WireMessage packed(field.bytes, fault);
    while (!packed.rest_.empty()) values.push_back(static_cast<std::int64_t>(packed.varint()));
  }

 private:
  std::string_view take(std::uint64_t size) {
    if (size > rest_.size()) fault_.damaged("it ends too early");
    const std::string_view part = rest_.substr(0, static_cast<std::size_t>(size));
    rest_.remove_prefix(static_cast<std::size_t>(size));
    return part;
  }
  std::uint64_t fixed(std::size_t width) {
    std::uint64_t value = 0;
    const std::string_view part = take(width);
    for (std::size_t i = 0; i < width; ++i)
      value |= static_cast<std::uint64_t>(static_cast<std::uint8_t>(part[i])) << (8 * i);
    return value;
  }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<std::uint8_t>(take(1)[0]);
      value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    fault_.damaged("a number is too long");
  }

  std::string_view rest_;
  const OnnxFault& fault_;
};

std::string text(const WireField& field, const OnnxFault& fault) {
  if (field.kind != 2) fault.damaged("a text is something else");
  if (field.bytes.size() > 4096) fault.damaged("a name has " + std::to_string(field.bytes.size()) + " bytes");
  return std::string(field.bytes);
}

std::string_view message(const WireField& field, const OnnxFault& fault) {
  if (field.kind != 2) fault.damaged("a message is something else");
  return field.bytes;
}

std::string printable(std::string name) {
  for (char& c : name) {
    if (static_cast<unsigned char>(c) < 32 || static_cast<unsigned char>(c) > 126) c = '?';
  }
  return name.substr(0, 100);
}

// Bytes of one element in raw_data; 0: a type that no weight of a detector has.
std::int64_t element_size(std::int64_t type) {
  switch (type) {
    case 2:  // uint8
    case 3:  // int8
    case 9:  // bool
      return 1;
    case 4:   // uint16
    case 5:   // int16
    case 10:  // float16
    case 16:  // bfloat16
      return 2;
    case 1:   // float
    case 6:   // int32
    case 12:  // uint32
      return 4;
    case 7:   // int64
    case 11:  // double
    case 13:  // uint64
      return 8;
    default:
      return 0;
  }
}

class OnnxReader {
 public:
  OnnxReader(const std::string& where, OnnxOperators operators) : fault_(where), operators_(operators) {}

  OnnxModel read(std::string_view bytes) {
    WireMessage model(bytes, fault_);
    std::string_view graph;
    bool has_graph = false;
    while (const auto field = model.next()) {
      if (field->number == model_field::kGraph) {
        if (has_graph) fault_.damaged("it has two graphs");
        graph = message(*field, fault_);
        has_graph = true;
      } else if (field->number == model_field::kOpset) {
        read_opset(message(*field, fault_));
      } else if (field->number == model_field::kMetadata) {
        read_metadata(message(*field, fault_));
      }
    }
    if (!has_graph) fault_.damaged("it has no graph");
    read_graph(graph);
    return std::move(model_);
  }

 private:
  void read_opset(std::string_view bytes) {
    WireMessage opset(bytes, fault_);
    std::string domain;
    std::int64_t version = 0;
    while (const auto field = opset.next()) {
      if (field->number == 1) domain = text(*field, fault_);
      if (field->number == 2) version = static_cast<std::int64_t>(field->value);
    }
    if (domain.empty() || domain == "ai.onnx") model_.opset = version;
  }

  void read_metadata(std::string_view bytes) {
    WireMessage entry(bytes, fault_);
    std::pair<std::string, std::string> pair;
    while (const auto field = entry.next()) {
      if (field->number == 1) pair.first = text(*field, fault_);
      if (field->number == 2) pair.second = std::string(message(*field, fault_));
    }
    model_.metadata.push_back(std::move(pair));
  }

  void read_graph(std::string_view bytes) {
    WireMessage graph(bytes, fault_);
    std::vector<std::pair<std::string, std::vector<std::int64_t>>> inputs;
    std::vector<std::string> outputs;
    while (const auto field = graph.next()) {
      if (field->number == graph_field::kNode) {
        read_node(message(*field, fault_));
      } else if (field->number == graph_field::kInitializer) {
        weights_.insert(read_tensor(message(*field, fault_)));
      } else if (field->number == graph_field::kSparse) {
        fault_.refuse("has sparse weights", "export it with dense ones");
      } else if (field->number == graph_field::kInput) {
        inputs.push_back(read_value(message(*field, fault_)));
      } else if (field->number == graph_field::kOutput) {
        outputs.push_back(read_value(message(*field, fault_)).first);
      }
    }
    if (!unknown_.empty()) {
      fault_.refuse("has operators that can't be computed here: " +
                        join(std::vector<std::string>(unknown_.begin(), unknown_.end())),
                    "export it with opset 13 and without post-processing (format.kind: columns takes what comes before "
                    "non-maximum suppression), or use TorchScript");
    }
    std::erase_if(inputs, [&](const auto& input) { return weights_.contains(input.first); });
    if (inputs.size() != 1)
      fault_.refuse("has " + std::to_string(inputs.size()) + " inputs", "it must have one: the images");
    if (outputs.empty()) fault_.damaged("it has no output");
    model_.input = inputs.front().first;
    model_.shape = inputs.front().second;
    for (const std::string& output : outputs) {
      const auto maker = makers_.find(output);
      if (maker == makers_.end()) fault_.damaged("nothing makes its output " + printable(output));
      model_.outputs.push_back({output, maker->second});
    }
  }

  void read_node(std::string_view bytes) {
    WireMessage node(bytes, fault_);
    std::string name, op, domain;
    std::vector<std::string> outputs;
    while (const auto field = node.next()) {
      if (field->number == node_field::kOutput) outputs.push_back(text(*field, fault_));
      if (field->number == node_field::kName) name = text(*field, fault_);
      if (field->number == node_field::kOperator) op = text(*field, fault_);
      if (field->number == node_field::kDomain) domain = text(*field, fault_);
      if (field->number == node_field::kAttribute) read_attribute(message(*field, fault_));
    }
    const bool known = operators_ == OnnxOperators::kAny ||
                       ((domain.empty() || domain == "ai.onnx") && known_operators().contains(op));
    if (!known && unknown_.size() < 20) unknown_.insert(printable(domain.empty() ? op : domain + "." + op));
    for (const std::string& output : outputs) makers_[output] = name;
  }

  void read_attribute(std::string_view bytes) {
    WireMessage attribute(bytes, fault_);
    while (const auto field = attribute.next()) {
      if (field->number == attribute_field::kTensor || field->number == attribute_field::kTensors)
        read_tensor(message(*field, fault_));
      if (field->number == attribute_field::kGraph || field->number == attribute_field::kGraphs)
        fault_.refuse("has a graph within its graph (If or Loop)", "export it by tracing, without branches");
    }
  }

  // Checks a weight and gives its name.
  std::string read_tensor(std::string_view bytes) {
    WireMessage tensor(bytes, fault_);
    std::string name, file;
    std::vector<std::int64_t> dims;
    std::int64_t type = 0, raw = -1, bytes_elsewhere = 0;
    bool external = false;
    while (const auto field = tensor.next()) {
      switch (field->number) {
        case tensor_field::kDims:
          WireMessage::numbers(*field, fault_, dims);
          break;
        case tensor_field::kType:
          type = static_cast<std::int64_t>(field->value);
          break;
        case tensor_field::kName:
          name = text(*field, fault_);
          break;
        case tensor_field::kRaw:
          raw = static_cast<std::int64_t>(message(*field, fault_).size());
          break;
        case tensor_field::kExternal:
          external = true;
          file = external_path(message(*field, fault_), file);
          break;
        case tensor_field::kLocation:
          external = external || field->value == 1;
          break;
        case tensor_field::kFloats:
        case tensor_field::kInts:
        case tensor_field::kLongs:
        case tensor_field::kDoubles:
        case tensor_field::kUnsigned:
        case tensor_field::kStrings:
          bytes_elsewhere += field->kind == 2 ? static_cast<std::int64_t>(field->bytes.size()) : 1;
          break;
        default:
          break;
      }
    }
    if (external) refuse_external(name, file);
    check_size(name, dims, type, raw, bytes_elsewhere);
    return name;
  }

  std::string external_path(std::string_view bytes, const std::string& before) {
    WireMessage entry(bytes, fault_);
    std::string key, value;
    while (const auto field = entry.next()) {
      if (field->number == 1) key = text(*field, fault_);
      if (field->number == 2) value = text(*field, fault_);
    }
    return key == "location" ? value : before;
  }

  [[noreturn]] void refuse_external(const std::string& name, const std::string& file) const {
    const bool leaves = file.starts_with('/') || ("/" + file + "/").find("/../") != std::string::npos;
    fault_.refuse("keeps its weight " + printable(name) + " in another file, '" + printable(file) + "'" +
                      (leaves ? ", outside of its folder" : "") + "; it was not opened",
                  "put everything into one file: onnx.save(onnx.load(path), path, save_as_external_data=False)");
  }

  void check_size(const std::string& name, const std::vector<std::int64_t>& dims, std::int64_t type, std::int64_t raw,
                  std::int64_t elsewhere) const {
    const std::int64_t each = element_size(type);
    if (each == 0) fault_.damaged("weight " + printable(name) + " is of type " + std::to_string(type));
    std::int64_t count = 1;
    for (const std::int64_t n : dims) {
      if (n < 0 || n > (std::int64_t{1} << 31) || __builtin_mul_overflow(count, n, &count) ||
          count > (std::int64_t{1} << 31)) {
        fault_.damaged("weight " + printable(name) + " has an impossible shape");
      }
    }
    const bool fits = raw >= 0 ? raw == count * each && elsewhere == 0 : elsewhere >= count;
    if (!fits || dims.size() > 8)
      fault_.damaged("weight " + printable(name) + " does not hold as many values as its shape says");
  }

  // Of a ValueInfoProto: its name, and its shape where it is a tensor.
  std::pair<std::string, std::vector<std::int64_t>> read_value(std::string_view bytes) {
    WireMessage value(bytes, fault_);
    std::pair<std::string, std::vector<std::int64_t>> out;
    while (const auto field = value.next()) {
      if (field->number == 1) out.first = text(*field, fault_);
      if (field->number == 2) read_type(message(*field, fault_), out.second);
    }
    return out;
  }

  void read_type(std::string_view bytes, std::vector<std::int64_t>& dims) {
    WireMessage type(bytes, fault_);
    while (const auto field = type.next()) {
      if (field->number != 1) continue;
      WireMessage tensor(message(*field, fault_), fault_);
      while (const auto inner = tensor.next()) {
        if (inner->number != 2) continue;
        WireMessage shape(message(*inner, fault_), fault_);
        while (const auto dimension = shape.next()) {
          if (dimension->number == 1) dims.push_back(read_dimension(message(*dimension, fault_)));
        }
      }
    }
  }

  std::int64_t read_dimension(std::string_view bytes) {
    WireMessage dimension(bytes, fault_);
    std::int64_t size = -1;
    while (const auto field = dimension.next()) {
      if (field->number == 1) size = static_cast<std::int64_t>(field->value);
    }
    return size > 0 ? size : -1;
  }

  const OnnxFault fault_;
  const OnnxOperators operators_;
  OnnxModel model_;
  std::set<std::string> weights_, unknown_;
  std::map<std::string, std::string> makers_;
};

}  // namespace

OnnxModel read_onnx(std::string_view bytes, const std::string& where, OnnxOperators operators) {
  return OnnxReader(where, operators).read(bytes);
}

}  // namespace conclave
