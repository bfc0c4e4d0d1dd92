#include "export/runtime.h"

#include "core/file.h"

namespace conclave {

NetworkBytes read_network(const std::filesystem::path& file) {
  NetworkBytes network{file, read_file(file), {}};
  const std::string extension = file.extension().string();
  const auto beside = [&](const char* other) {
    return read_file(std::filesystem::path(file).replace_extension(other));
  };
  if (extension == ".prototxt") network.weights = beside(".caffemodel");
  if (extension == ".xml" || extension == ".param") network.weights = beside(".bin");
  return network;
}

}  // namespace conclave
