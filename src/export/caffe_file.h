#pragma once

#include <string>

#include "export/graph.h"

namespace conclave {

struct CaffeFiles {
  std::string prototxt;    // the network, text
  std::string caffemodel;  // its weights, protobuf
};

// The graph in layers that every Caffe has (BVLC 1.0, the forks, cv::dnn): Input, Convolution, Deconvolution, ReLU,
// Pooling, Eltwise, Scale, Sigmoid, Power. Batch and size are those of the graph's shapes.
//
// Caffe rounds the size of a pooled map up where everybody else rounds down, and no field that says otherwise is known
// to all of its readers: where that gives a row and column too many, a 2x2 convolution per channel cuts them off.
//
// Throws Error that names the layer for what Caffe does not have: TopBoxes, float16, peaks by comparison.
CaffeFiles caffe_files(const Graph& graph);

}  // namespace conclave
