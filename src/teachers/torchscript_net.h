#pragma once

#include <memory>
#include <string>

#include "teachers/teacher_net.h"

namespace conclave {

// A TorchScript file (torch.jit.save of a trace or a script) whose forward takes one image batch (B,3,H,W), or a list
// of images (3,H,W) as torchvision's detectors do. What it returns is flattened: tensors of tuples, lists and
// dictionaries in their order, those of dictionaries by their keys. It knows LibTorch's operators and torchvision::nms.
// Throws Error for an archive that is not well-formed (torchscript_archive.h), an operator that is not known here and a
// forward of another form.
std::unique_ptr<RawNet> open_torchscript(std::string bytes, const std::string& where, const EngineOptions& options);

}  // namespace conclave
