#pragma once

#include <c10/core/Device.h>

#include <memory>
#include <string>

#include "teachers/teacher_net.h"

namespace torch::jit {
struct Module;
}

namespace conclave {

// Loads a program after check_torchscript_archive, and throws Error unless every function of it, compiled and with
// those that it calls, consists of LibTorch's operators that compute; file access, messages to other processes and
// operators of other libraries are none. No function has run then.
torch::jit::Module load_torchscript(const std::string& bytes, const std::string& where, c10::Device device);

// A TorchScript file (torch.jit.save of a trace or a script) whose forward takes one image batch (B,3,H,W), or a list
// of images (3,H,W) as torchvision's detectors do. What it returns is flattened: tensors of tuples, lists and
// dictionaries in their order, those of dictionaries by their keys. It knows LibTorch's operators and torchvision::nms.
// Throws Error for an archive that is not well-formed (torchscript_archive.h), an operator that is not known here
// (load_torchscript) and a forward of another form.
std::unique_ptr<RawNet> open_torchscript(std::string bytes, const std::string& where, const EngineOptions& options);

}  // namespace conclave
