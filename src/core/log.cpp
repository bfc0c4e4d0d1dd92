#include "core/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>

#include <cstdlib>
#include <string_view>

namespace conclave::log {
namespace {

spdlog::level::level_enum level_from_environment() {
  const char* value = std::getenv("CONCLAVE_LOG");
  const std::string_view name = value ? value : "info";
  if (name == "trace") return spdlog::level::trace;
  if (name == "debug") return spdlog::level::debug;
  if (name == "warn") return spdlog::level::warn;
  if (name == "error") return spdlog::level::err;
  return spdlog::level::info;
}

std::string pattern(const std::string& role) {
  std::string escaped;
  for (char c : role) escaped += c == '%' ? std::string("%%") : std::string(1, c);
  return "%Y-%m-%d %H:%M:%S.%e %^%l%$ " + (escaped.empty() ? "" : "[" + escaped + "] ") + "%v";
}

}  // namespace

void start(const std::string& role) {
  auto logger = std::make_shared<spdlog::logger>("conclave", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  logger->set_level(level_from_environment());
  logger->set_pattern(pattern(role));
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace conclave::log
