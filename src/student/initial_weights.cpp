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

// Each class of ours takes the rows of theirs that has its name.
void copy_by_class(at::Tensor& own, const std::vector<std::string>& classes, const at::Tensor& theirs,
                   const std::vector<std::string>& their_classes) {
  const auto ours_each = own.size(0) / static_cast<std::int64_t>(classes.size());
  const auto theirs_each = theirs.size(0) / static_cast<std::int64_t>(their_classes.size());
  if (ours_each != theirs_each || own.sizes().slice(1) != theirs.sizes().slice(1)) return;
  for (std::size_t c = 0; c < classes.size(); ++c) {
    const auto found = std::find(their_classes.begin(), their_classes.end(), classes[c]);
    if (found == their_classes.end()) continue;
    const auto from = static_cast<std::int64_t>(found - their_classes.begin());
    own.narrow(0, static_cast<std::int64_t>(c) * ours_each, ours_each)
        .copy_(theirs.narrow(0, from * theirs_each, theirs_each));
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
  for (auto& [name, own] : state_of(model)) {
    if (!starts_with_any(name, {"heat.", "wh.", "offset."})) continue;
    const auto found = theirs.find(name);
    if (found == theirs.end()) continue;
    at::Tensor target = own;
    if (is_by_class(name, spec) != is_by_class(name, their_spec)) continue;
    if (is_by_class(name, spec)) {
      copy_by_class(target, spec.classes, found->second, their_spec.classes);
    } else if (found->second.sizes() == own.sizes()) {
      target.copy_(found->second);
    }
  }
  log::info("heads start from {}; its classes: {}{}{}", file.string(), kept.empty() ? "none" : join(kept),
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
