#include <ATen/ATen.h>

#include "core/error.h"
#include "core/file.h"
#include "core/scratch_folder.h"
#include "export/outside_program.h"
#include "export/runtime.h"
#include "export/templates.h"
#include "models/weights.h"

namespace conclave {
namespace {

namespace fs = std::filesystem;

constexpr int kMissing = 3;  // run_exported.py's exit status without the runtime

std::string last_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ",") + name;
  return text;
}

class PythonRuntime : public Runtime {
 public:
  PythonRuntime(std::string runtime, const NetworkBytes& network, const std::vector<std::string>& outputs,
                std::string python)
      : runtime_(std::move(runtime)),
        where_(network.file.string()),
        file_(folder_.path() / network.file.filename()),
        outputs_(outputs),
        python_(std::move(python)) {
    write_file_atomically(script(), template_texts().at("run_exported.py"));
    write_file_atomically(file_, network.network);
    if (!network.weights.empty()) write_file_atomically(fs::path(file_).replace_extension(".bin"), network.weights);
    name_ = runtime_;
  }

  // What it lacks; empty: nothing.
  std::string missing() const {
    const ProgramEnd end = run_program({python_, script(), runtime_, "--probe"}, folder_.path());
    if (!end.found) return "there is no " + python_;
    if (end.code == kMissing) return python_ + ": " + last_line(end.said);
    if (end.code != 0) throw Error(python_ + " failed:\n" + end.said, runtime_);
    return {};
  }

  std::string name() const override { return name_; }

  std::vector<at::Tensor> run(const at::Tensor& images, int batch) override {
    const fs::path in = folder_.path() / "in.safetensors", out = folder_.path() / "out.safetensors";
    write_tensor_map(in, {{"images", images.contiguous()}}, {});
    const ProgramEnd end = run_program({python_, script(), runtime_, file_.string(), joined(outputs_),
                                        std::to_string(batch), in.string(), out.string()},
                                       folder_.path());
    if (end.code != 0) throw Error(runtime_ + " failed:\n" + end.said, where_);
    name_ = last_line(end.said);
    const TensorMap tensors = read_tensor_map(TensorFile::open(out));
    std::vector<at::Tensor> results;
    for (const std::string& output : outputs_) results.push_back(tensors.at(output));
    return results;
  }

 private:
  std::string script() const { return (folder_.path() / "run_exported.py").string(); }

  ScratchFolder folder_{"export"};
  std::string runtime_, where_;
  fs::path file_;  // a copy, alone with its weights
  std::vector<std::string> outputs_;
  std::string python_, name_;
};

}  // namespace

std::unique_ptr<Runtime> make_python_runtime(const std::string& runtime, const NetworkBytes& network,
                                             const std::vector<std::string>& outputs, const std::string& python,
                                             std::string& why) {
  auto made = std::make_unique<PythonRuntime>(runtime, network, outputs, python);
  why = made->missing();
  if (!why.empty()) return nullptr;
  return made;
}

}  // namespace conclave
