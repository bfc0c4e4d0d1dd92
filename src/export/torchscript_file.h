#pragma once

#include <torch/csrc/jit/api/module.h>

#include <filesystem>
#include <map>
#include <string>

#include "export/graph.h"

namespace conclave {

// The graph as a module whose forward(images) returns the outputs as a tuple, in the graph's order. It is written as
// TorchScript source, so that whoever opens the file can read it. Any batch and any size (multiples of 32) may be
// given.
torch::jit::Module torchscript_module(const Graph& graph);

// Saves it; `extra` become files in the archive's extra/ folder (torch.jit.load's _extra_files).
void write_torchscript(const std::filesystem::path& path, const Graph& graph,
                       const std::map<std::string, std::string>& extra);

}  // namespace conclave
