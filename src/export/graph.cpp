#include "export/graph.h"

namespace conclave {

ValueId Graph::add_value(std::string name, std::vector<std::int64_t> shape) {
  values.push_back({std::move(name), std::move(shape)});
  return values.size() - 1;
}

ValueId Graph::append(const std::string& layer, Operator op, std::vector<ValueId> inputs,
                      std::vector<std::int64_t> shape) {
  const ValueId output = add_value(layer, std::move(shape));
  nodes.push_back({layer, std::move(op), std::move(inputs), {output}});
  return output;
}

}  // namespace conclave
