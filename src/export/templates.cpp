#include "export/templates.h"

namespace conclave {

std::string filled_template(const std::string& name, const std::map<std::string, std::string>& values) {
  std::string text = template_texts().at(name);
  for (const auto& [key, value] : values) {
    const std::string mark = '@' + key + '@';
    for (std::size_t at = 0; (at = text.find(mark, at)) != std::string::npos; at += value.size()) {
      text.replace(at, mark.size(), value);
    }
  }
  return text;
}

}  // namespace conclave
