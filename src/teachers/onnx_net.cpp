#include "teachers/onnx_net.h"

#include "core/error.h"

#ifdef CONCLAVE_DNN

#include <ATen/ATen.h>

#include <algorithm>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/dnn.hpp>

#include "teachers/onnx_reader.h"

namespace conclave {
namespace {

// OpenCV prints what it also throws.
class QuietOpenCv {
 public:
  QuietOpenCv() : before_(cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT)) {}
  ~QuietOpenCv() { cv::utils::logging::setLogLevel(before_); }
  QuietOpenCv(const QuietOpenCv&) = delete;
  QuietOpenCv& operator=(const QuietOpenCv&) = delete;

 private:
  cv::utils::logging::LogLevel before_;
};

std::string brief(const cv::Exception& error) {
  std::string text = error.err;
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text.substr(0, 400);
}

at::Tensor tensor_of(const cv::Mat& blob, const std::string& where) {
  cv::Mat values = blob;
  if (!values.isContinuous()) values = values.clone();
  std::vector<std::int64_t> shape(values.size.p, values.size.p + values.dims);
  if (values.type() == CV_32F) return at::from_blob(values.data, shape, at::kFloat).clone();
  if (values.type() == CV_32S) return at::from_blob(values.data, shape, at::kInt).to(at::kFloat);
  throw Error("OpenCV gives an output of type " + std::to_string(values.type()), where);
}

class OnnxNet final : public RawNet {
 public:
  OnnxNet(const std::string& bytes, const std::string& where, const EngineOptions& options)
      : where_(where), threads_(options.threads), model_(read_onnx(bytes, where)) {
    if (options.device != "cpu" || options.bf16 || options.channels_last) {
      throw Error("an ONNX teacher computes in float32 on the CPU", where_,
                  "leave out device, bf16 and channels_last, or use TorchScript");
    }
    const std::vector<std::int64_t>& shape = model_.shape;
    if (!shape.empty() && (shape.size() != 4 || (shape[1] != 3 && shape[1] != -1)))
      throw Error("its input " + model_.input + " is not (B,3,H,W)", where_, "it must take images as planes");
    const QuietOpenCv quiet;
    try {
      net_ = cv::dnn::readNetFromONNX(bytes.data(), bytes.size());
      net_.setPreferableBackend(cv::dnn::DNN_BACKEND_OPENCV);
      net_.setPreferableTarget(cv::dnn::DNN_TARGET_CPU);
      names_ = layers_of_outputs();
    } catch (const cv::Exception& error) {
      throw Error("OpenCV can't build it: " + brief(error), where_,
                  "export it with opset 13 and fixed sizes, or use TorchScript");
    }
  }

  std::pair<int, int> input() const override {
    const std::vector<std::int64_t>& shape = model_.shape;
    if (shape.size() != 4 || shape[2] < 1 || shape[3] < 1 || shape[2] > 16384 || shape[3] > 16384) return {0, 0};
    return {static_cast<int>(shape[3]), static_cast<int>(shape[2])};
  }

  std::vector<RawOutput> run(const at::Tensor& images) override {
    if (!model_.shape.empty() && model_.shape[0] > 0 && model_.shape[0] != images.size(0)) {
      throw Error("format.batch: is " + std::to_string(images.size(0)) + ", but the file is made for " +
                      std::to_string(model_.shape[0]),
                  where_);
    }
    cv::setNumThreads(threads_);
    const int shape[] = {static_cast<int>(images.size(0)), static_cast<int>(images.size(1)),
                         static_cast<int>(images.size(2)), static_cast<int>(images.size(3))};
    const cv::Mat blob(4, shape, CV_32F, const_cast<float*>(images.const_data_ptr<float>()));
    std::vector<RawOutput> outputs;
    const QuietOpenCv quiet;
    try {
      net_.setInput(blob);
      std::vector<cv::Mat> blobs;
      net_.forward(blobs, names_);
      for (std::size_t i = 0; i < names_.size(); ++i)
        outputs.push_back({model_.outputs[i].name, tensor_of(blobs[i], where_)});
    } catch (const cv::Exception& error) {
      throw Error("OpenCV can't run it on images of " + std::to_string(shape[3]) + " x " + std::to_string(shape[2]) +
                      ": " + brief(error),
                  where_, "set format.input to the size that it was exported with");
    }
    return outputs;
  }

 private:
  // OpenCV names layers after nodes and outputs in its own way, which changed over its versions.
  std::vector<cv::String> layers_of_outputs() const {
    const std::vector<cv::String> open = net_.getUnconnectedOutLayersNames();
    const std::vector<cv::String> all = net_.getLayerNames();
    std::vector<cv::String> names;
    for (const OnnxModel::Output& output : model_.outputs) {
      const std::string candidates[] = {output.name, "onnx_node!" + output.node, "onnx_node_output_0!" + output.name,
                                        output.node};
      const cv::String* found = nullptr;
      for (const std::string& candidate : candidates) {
        for (const std::vector<cv::String>* list : {&open, &all}) {
          const auto at = std::find(list->begin(), list->end(), candidate);
          if (found == nullptr && !candidate.empty() && at != list->end()) found = &*at;
        }
      }
      if (found == nullptr && open.size() == model_.outputs.size()) found = &open[names.size()];
      if (found == nullptr) throw Error("OpenCV has no layer for its output " + output.name.substr(0, 100), where_);
      names.push_back(*found);
    }
    return names;
  }

  const std::string where_;
  const int threads_;
  const OnnxModel model_;
  cv::dnn::Net net_;
  std::vector<cv::String> names_;  // of the layers behind model_.outputs
};

}  // namespace

std::unique_ptr<RawNet> open_onnx(std::string bytes, const std::string& where, const EngineOptions& options) {
  return std::make_unique<OnnxNet>(bytes, where, options);
}

}  // namespace conclave

#else

namespace conclave {

std::unique_ptr<RawNet> open_onnx(std::string, const std::string& where, const EngineOptions&) {
  throw Error("this build can't run ONNX files", where,
              "configure with -DCONCLAVE_DNN=ON (OpenCV's dnn module), or use TorchScript");
}

}  // namespace conclave

#endif
