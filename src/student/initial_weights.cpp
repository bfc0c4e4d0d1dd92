#include "student/initial_weights.h"

#include <algorithm>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/join.h"
#include "core/log.h"
#include "models/weights.h"

namespace conclave {
namespace {

bool starts_with_any(const std::string& name, const std::vector<std::string>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const std::string& prefix) { return name.starts_with(prefix); });
}

// The last layer of a head that has rows for each class.
bool is_by_class(const std::string& name, const ModelSpec& spec) {
  return name.starts_with("heat.2.") || (spec.architecture.wh_per_class && name.starts_with("wh.2."));
}

std::int64_t rows_per_class(const at::Tensor& tensor, const std::vector<std::string>& classes) {
  return tensor.size(0) / static_cast<std::int64_t>(classes.size());
}

bool fits(const std::string& name, const at::Tensor& own, const ModelSpec& spec, const TensorMap& all_theirs,
          const ModelSpec& their_spec) {
  const auto found = all_theirs.find(name);
  if (found == all_theirs.end() || is_by_class(name, spec) != is_by_class(name, their_spec)) return false;
  const at::Tensor& theirs = found->second;
  if (!is_by_class(name, spec)) return theirs.sizes() == own.sizes();
  return theirs.dim() == own.dim() && theirs.sizes().slice(1) == own.sizes().slice(1) &&
         rows_per_class(theirs, their_spec.classes) == rows_per_class(own, spec.classes);
}

// Each class of ours takes the rows of theirs that has its name. REQUIRES: fits.
void copy_by_class(at::Tensor& own, const std::vector<std::string>& classes, const at::Tensor& theirs,
                   const std::vector<std::string>& their_classes) {
  const std::int64_t each = rows_per_class(own, classes);
  for (std::size_t c = 0; c < classes.size(); ++c) {
    const auto found = std::find(their_classes.begin(), their_classes.end(), classes[c]);
    if (found == their_classes.end()) continue;
    const auto from = static_cast<std::int64_t>(found - their_classes.begin());
    own.narrow(0, static_cast<std::int64_t>(c) * each, each).copy_(theirs.narrow(0, from * each, each));
  }
}

void load_heads(const Detector& model, const TensorMap& theirs, const ModelSpec& their_spec,
                const std::filesystem::path& file) {
  const ModelSpec& spec = model.spec();
  std::vector<std::string> kept, fresh;
  for (const std::string& name : spec.classes) {
    const auto& others = their_spec.classes;
    (std::find(others.begin(), others.end(), name) != others.end() ? kept : fresh).push_back(name);
  }
  const TensorMap all = state_of(model);
  std::vector<std::string> started, left;
  for (const std::string head : {"heat", "wh", "offset"}) {
    TensorMap own;
    for (const auto& [name, tensor] : all) {
      if (name.starts_with(head + ".")) own[name] = tensor;
    }
    const bool whole = std::all_of(own.begin(), own.end(), [&](const auto& entry) {
      return fits(entry.first, entry.second, spec, theirs, their_spec);
    });
    (whole ? started : left).push_back(head);
    if (!whole) continue;
    for (auto& [name, tensor] : own) {
      if (is_by_class(name, spec)) {
        copy_by_class(tensor, spec.classes, theirs.at(name), their_spec.classes);
      } else {
        tensor.copy_(theirs.at(name));
      }
    }
  }
  if (!left.empty()) {
    log::warn("training.init_heads: {} of {} differ from the student's in shape and start fresh", join(left),
              file.string());
  }
  if (started.empty()) return;
  log::info("{} start from {}; its classes: {}{}{}", join(started), file.string(), kept.empty() ? "none" : join(kept),
            fresh.empty() ? "" : "; new classes: ", join(fresh));
}

}  // namespace

std::size_t load_initial_weights(Detector& model, const std::filesystem::path& file, bool heads) {
  const TensorFile opened = TensorFile::open(file);
  const TensorMap theirs = read_tensor_map(opened);
  const at::NoGradGuard no_grad;
  std::size_t copied = 0, wanted = 0;
  for (auto& [name, own] : state_of(model)) {
    if (!starts_with_any(name, {"backbone.", "neck."})) continue;
    ++wanted;
    const auto found = theirs.find(name);
    if (found == theirs.end() || found->second.sizes() != own.sizes()) continue;
    own.copy_(found->second);
    ++copied;
  }
  if (copied == 0) {
    throw Error("no tensor fits the student's backbone or neck", file.string(),
                "training.init takes the weights of a detector with the same architecture");
  }
  log::info("{} of {} tensors of backbone and neck start from {}", copied, wanted, file.string());
  if (heads) load_heads(model, theirs, from_metadata(opened.metadata(), file.string()), file);
  return copied;
}

}  // namespace conclave
