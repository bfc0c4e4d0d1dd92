#pragma once

#include <map>
#include <string>

namespace conclave {

// The files of src/export/templates by name, as they were when this program was built.
const std::map<std::string, std::string>& template_texts();

// A template with each @KEY@ replaced by values.at("KEY"). REQUIRES: every key of the template is among the values.
std::string filled_template(const std::string& name, const std::map<std::string, std::string>& values);

}  // namespace conclave
