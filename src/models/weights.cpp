#include "models/weights.h"

#include <ATen/ATen.h>
#include <torch/utils.h>

#include <algorithm>
#include <sstream>

#include "core/error.h"
#include "core/file.h"
#include "core/hash.h"
#include "models/network.h"
#include "models/zoo.h"

namespace conclave {
namespace {

struct TypePair {
  DType file;
  at::ScalarType torch;
};

constexpr TypePair kTypes[] = {
    {DType::kBool, at::kBool}, {DType::kU8, at::kByte},    {DType::kI8, at::kChar},  {DType::kI16, at::kShort},
    {DType::kI32, at::kInt},   {DType::kI64, at::kLong},   {DType::kF16, at::kHalf}, {DType::kBF16, at::kBFloat16},
    {DType::kF32, at::kFloat}, {DType::kF64, at::kDouble},
};

std::string shape_text(at::IntArrayRef shape) {
  std::ostringstream text;
  text << shape;
  return text.str();
}

// What does not fit, one line each; the first few are shown.
class Mismatches {
 public:
  void add(const std::string& line) {
    constexpr int kShown = 12;
    if (++count_ <= kShown) lines_ += "\n  " + line;
  }

  void raise(const std::string& where, const std::string& hint) const {
    if (count_ == 0) return;
    const std::string more = count_ > 12 ? "\n  ... " + std::to_string(count_) + " in all" : "";
    throw Error("the tensors don't fit the network:" + lines_ + more, where, hint);
  }

 private:
  int count_ = 0;
  std::string lines_;
};

void load(torch::nn::Module& module, const TensorMap& state, const std::string& where, const std::string& hint) {
  const TensorMap own = state_of(module);
  Mismatches mismatches;
  for (const auto& [name, tensor] : own) {
    const auto found = state.find(name);
    if (found == state.end()) {
      mismatches.add("missing: " + name + " " + shape_text(tensor.sizes()));
    } else if (found->second.sizes() != tensor.sizes()) {
      mismatches.add("other shape: " + name + " is " + shape_text(found->second.sizes()) + ", the network has " +
                     shape_text(tensor.sizes()));
    }
  }
  for (const auto& [name, tensor] : state) {
    if (!own.contains(name)) mismatches.add("unexpected: " + name + " " + shape_text(tensor.sizes()));
  }
  mismatches.raise(where, hint);
  const torch::NoGradGuard no_grad;
  for (const auto& [name, tensor] : own) tensor.copy_(state.at(name));
}

// Memory for a network is taken only after the file has shown that it holds about as much.
void check_size(const ModelSpec& spec, const TensorFile& file) {
  const Architecture& a = spec.architecture;
  std::int64_t held = 0;
  for (const auto& [name, view] : file.tensors()) {
    held += static_cast<std::int64_t>(view.bytes.size() / size_of(view.dtype));
  }
  std::int64_t needed = std::int64_t{find_backbone(a.backbone).parameters_per_width2} * a.width * a.width;
  for (const int channels : a.neck_channels) needed += std::int64_t{16} * channels * channels;
  needed += std::int64_t{27} * a.head_channels * a.neck_channels.back();
  if (held >= needed) return;
  throw Error("holds " + std::to_string(held) + " values; " + describe(a) + ", as its metadata says, has at least " +
                  std::to_string(needed),
              file.where(), "the weights are of another architecture, or the metadata was changed");
}

void check_finite(const TensorMap& state, const std::string& where) {
  for (const auto& [name, tensor] : state) {
    if (!at::isfinite(tensor).all().item<bool>())
      throw Error("tensor " + name + " has values that are not finite", where);
  }
}

}  // namespace

TensorView view_of(const at::Tensor& tensor) {
  const auto* pair = std::find_if(std::begin(kTypes), std::end(kTypes),
                                  [&](const TypePair& type) { return type.torch == tensor.scalar_type(); });
  if (pair == std::end(kTypes))
    throw Error(std::string("can't store tensors of type ") + toString(tensor.scalar_type()));
  if (!tensor.is_contiguous() || !tensor.is_cpu()) throw Error("view_of takes contiguous CPU tensors");
  return {pair->file,
          tensor.sizes().vec(),
          {static_cast<const std::byte*>(tensor.const_data_ptr()), static_cast<std::size_t>(tensor.nbytes())}};
}

at::Tensor tensor_from(const TensorView& view) {
  const auto* pair =
      std::find_if(std::begin(kTypes), std::end(kTypes), [&](const TypePair& type) { return type.file == view.dtype; });
  at::Tensor tensor = at::empty(view.shape, pair->torch);
  std::copy(view.bytes.begin(), view.bytes.end(), static_cast<std::byte*>(tensor.mutable_data_ptr()));
  return tensor;
}

void write_tensor_map(const std::filesystem::path& path, const TensorMap& tensors,
                      const std::map<std::string, std::string>& metadata) {
  TensorMap held;  // row-major copies where needed, alive while the views are used
  std::map<std::string, TensorView> views;
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor& kept = held[name] = tensor.detach().cpu().contiguous();
    views[name] = view_of(kept);
  }
  write_tensors(path, views, metadata);
}

TensorMap read_tensor_map(const TensorFile& file) {
  TensorMap tensors;
  for (const auto& [name, view] : file.tensors()) tensors[name] = tensor_from(view);
  return tensors;
}

TensorMap state_of(const torch::nn::Module& module) {
  TensorMap state;
  for (const auto& item : module.named_parameters()) state[item.key()] = item.value().detach();
  for (const auto& item : module.named_buffers()) state[item.key()] = item.value().detach();
  return state;
}

void load_state(torch::nn::Module& module, const TensorMap& state, const std::string& where) {
  std::string hint;
  if (const auto* detector = dynamic_cast<const Detector*>(&module)) {
    hint = "the network is " + describe(detector->spec().architecture) + " with " +
           std::to_string(detector->spec().classes.size()) + " classes";
  }
  load(module, state, where, hint);
}

void save_detector(const std::filesystem::path& path, const ModelSpec& spec, const TensorMap& state,
                   const std::map<std::string, std::string>& extra_metadata) {
  std::map<std::string, std::string> metadata = to_metadata(spec);
  metadata.insert(extra_metadata.begin(), extra_metadata.end());
  write_tensor_map(path, state, metadata);
}

LoadedDetector load_detector(const std::filesystem::path& path) {
  std::string bytes = read_file(path);
  LoadedDetector loaded;
  loaded.hash = sha256(std::as_bytes(std::span(bytes)));
  const TensorFile file = TensorFile::parse(std::move(bytes), path.string());
  const ModelSpec spec = from_metadata(file.metadata(), file.where());
  check_size(spec, file);
  const TensorMap state = read_tensor_map(file);
  loaded.model = make_network(spec);
  load(*loaded.model, state, file.where(), "its metadata says " + describe(spec.architecture));
  check_finite(state, file.where());
  loaded.model->eval();
  return loaded;
}

}  // namespace conclave
