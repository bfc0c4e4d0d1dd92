#include "jobs/interval_text.h"

#include <cmath>
#include <cstdio>

namespace conclave {
namespace {

bool is_zero(const std::string& digits) {
  return digits.find_first_of("123456789") == std::string::npos;
}

}  // namespace

Interval scaled(const Interval& interval, double by) {
  return {interval.mean * by, interval.low * by, interval.high * by, interval.n};
}

int decimals_of(const Interval& interval) {
  int decimals = 1;
  const auto hidden = [&](double end) {
    return end != 0 && !std::isnan(end) && std::abs(end) < 0.5 * std::pow(10.0, -decimals);
  };
  while (decimals < 3 && (hidden(interval.low) || hidden(interval.high))) ++decimals;
  return decimals;
}

std::string plain_number(double value, int decimals) {
  if (std::isnan(value)) return "–";
  char text[400];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text[0] == '-' && is_zero(text) ? text + 1 : text;
}

std::string signed_number(double value, int decimals) {
  const std::string text = plain_number(value, decimals);
  return value > 0 && !is_zero(text) ? "+" + text : text;
}

SignedInterval signed_interval(const Interval& interval) {
  const int decimals = decimals_of(interval);
  SignedInterval text{signed_number(interval.mean, decimals), {}, {}};
  if (!interval.bounded()) return text;
  text.low = signed_number(interval.low, decimals);
  text.high = signed_number(interval.high, decimals);
  return text;
}

}  // namespace conclave
