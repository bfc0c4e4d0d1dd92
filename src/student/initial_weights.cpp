#include "student/initial_weights.h"

#include "core/error.h"
#include "core/log.h"
#include "models/weights.h"

namespace conclave {

std::size_t load_initial_weights(Detector& model, const std::filesystem::path& file) {
  const TensorMap theirs = read_tensor_map(TensorFile::open(file));
  const at::NoGradGuard no_grad;
  std::size_t copied = 0, wanted = 0;
  for (auto& [name, own] : state_of(model)) {
    if (!name.starts_with("backbone.") && !name.starts_with("neck.")) continue;
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
  return copied;
}

}  // namespace conclave
