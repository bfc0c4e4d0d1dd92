#pragma once

#include <memory>

#include "models/backbone.h"

namespace conclave {

// ResNet (He et al. 2015) as torchvision builds it, without the classifier; the bottleneck strides in its 3x3
// convolution
// ("v1.5"). The stages have width, 2w, 4w and 8w channels, times 4 for resnet50.
std::shared_ptr<Backbone> make_resnet18(int width);
std::shared_ptr<Backbone> make_resnet34(int width);
std::shared_ptr<Backbone> make_resnet50(int width);

}  // namespace conclave
