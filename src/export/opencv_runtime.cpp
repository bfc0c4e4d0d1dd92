#include <ATen/ATen.h>

#include "core/error.h"
#include "export/runtime.h"
#ifdef CONCLAVE_DNN
#include <opencv2/core/utility.hpp>
#include <opencv2/dnn.hpp>
#endif

namespace conclave {

#ifdef CONCLAVE_DNN
namespace {

at::Tensor tensor_of(const cv::Mat& blob) {
  if (blob.depth() != CV_32F) throw Error("OpenCV answered with numbers of another type than float");
  std::vector<std::int64_t> shape(blob.size.p, blob.size.p + blob.dims);
  const cv::Mat whole = blob.isContinuous() ? blob : blob.clone();
  return at::from_blob(whole.data, shape, at::kFloat).clone();
}

class OpenCvRuntime : public Runtime {
 public:
  OpenCvRuntime(const NetworkBytes& network, std::vector<std::string> outputs) : outputs_(std::move(outputs)) {
    try {
      net_ = network.file.extension() == ".onnx"
                 ? cv::dnn::readNetFromONNX(network.network.data(), network.network.size())
                 : cv::dnn::readNetFromCaffe(network.network.data(), network.network.size(), network.weights.data(),
                                             network.weights.size());
    } catch (const cv::Exception& e) {
      throw Error("OpenCV can't read it: " + e.err, network.file.string());
    }
    net_.setPreferableBackend(cv::dnn::DNN_BACKEND_OPENCV);
  }

  std::string name() const override { return "OpenCV " + cv::getVersionString(); }

  std::vector<at::Tensor> run(const at::Tensor& images, int batch) override {
    std::vector<std::vector<at::Tensor>> parts(outputs_.size());
    for (const at::Tensor& part : images.to(at::kFloat).split(batch)) {
      const at::Tensor held = part.contiguous();
      const std::vector<int> shape(held.sizes().begin(), held.sizes().end());
      std::vector<cv::Mat> blobs;
      try {
        net_.setInput(cv::Mat(shape, CV_32F, held.data_ptr<float>()));
        net_.forward(blobs, outputs_);
      } catch (const cv::Exception& e) {
        throw Error("OpenCV can't run it: " + e.err);
      }
      for (std::size_t i = 0; i < blobs.size(); ++i) parts[i].push_back(tensor_of(blobs[i]));
    }
    std::vector<at::Tensor> joined;
    for (const std::vector<at::Tensor>& part : parts) joined.push_back(at::cat(part));
    return joined;
  }

 private:
  cv::dnn::Net net_;
  std::vector<std::string> outputs_;
};

}  // namespace

std::unique_ptr<Runtime> make_opencv_runtime(const NetworkBytes& network, const std::vector<std::string>& outputs) {
  return std::make_unique<OpenCvRuntime>(network, outputs);
}
#else
std::unique_ptr<Runtime> make_opencv_runtime(const NetworkBytes&, const std::vector<std::string>&) {
  return nullptr;
}
#endif

}  // namespace conclave
