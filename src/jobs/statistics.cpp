#include "jobs/statistics.h"

#include <algorithm>
#include <cmath>

namespace conclave {
namespace {

constexpr double kTail = 0.975;  // the upper end of 95 %

// The continued fraction of I_x(a, b), without its factor; converges fast for x < (a + 1) / (a + b + 2).
double beta_fraction(double a, double b, double x) {
  constexpr int kMostTerms = 500;
  constexpr double kTiny = 1e-300;
  const auto nonzero = [](double value) { return std::abs(value) < kTiny ? kTiny : value; };
  double c = 1, d = 1 / nonzero(1 - (a + b) * x / (a + 1)), fraction = d;
  for (int m = 1; m <= kMostTerms; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / nonzero(1 + even * d);
    c = nonzero(1 + even / c);
    fraction *= c * d;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / nonzero(1 + odd * d);
    c = nonzero(1 + odd / c);
    fraction *= c * d;
    if (std::abs(c * d - 1) < 1e-16) break;
  }
  return fraction;
}

}  // namespace

double mean(std::span<const double> values) {
  if (values.empty()) return Interval::kNone;
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

double sample_deviation(std::span<const double> values) {
  if (values.size() < 2) return Interval::kNone;
  const double centre = mean(values);
  double squares = 0;
  for (const double value : values) squares += (value - centre) * (value - centre);
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

double incomplete_beta(double a, double b, double x) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const double factor =
      std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x));
  if (x < (a + 1) / (a + b + 2)) return factor * beta_fraction(a, b, x) / a;
  return 1 - factor * beta_fraction(b, a, 1 - x) / b;
}

double student_t_cdf(double t, double freedom) {
  const double tail = 0.5 * incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t * t));
  return t > 0 ? 1 - tail : tail;
}

double student_t_quantile(double p, double freedom) {
  double low = -1, high = 1;
  while (student_t_cdf(low, freedom) > p) low *= 2;
  while (student_t_cdf(high, freedom) < p) high *= 2;
  for (;;) {
    const double middle = low + (high - low) / 2;
    if (middle <= low || middle >= high) return middle;
    (student_t_cdf(middle, freedom) < p ? low : high) = middle;
  }
}

Interval mean_interval(std::span<const double> values) {
  Interval interval;
  interval.n = static_cast<int>(values.size());
  interval.mean = mean(values);
  if (values.size() < 2) return interval;
  const double n = static_cast<double>(values.size());
  const double half = student_t_quantile(kTail, n - 1) * sample_deviation(values) / std::sqrt(n);
  interval.low = interval.mean - half;
  interval.high = interval.mean + half;
  return interval;
}

Interval ratio_interval(std::span<const double> y, std::span<const double> x) {
  Interval interval;
  interval.n = static_cast<int>(y.size());
  const double my = mean(y), mx = mean(x);
  if (y.empty() || mx == 0) return interval;
  interval.mean = my / mx;
  if (y.size() < 2) return interval;
  const double n = static_cast<double>(y.size());
  double yy = 0, xx = 0, xy = 0;  // variances and covariance of the two means
  for (std::size_t i = 0; i < y.size(); ++i) {
    yy += (y[i] - my) * (y[i] - my);
    xx += (x[i] - mx) * (x[i] - mx);
    xy += (y[i] - my) * (x[i] - mx);
  }
  const double t = student_t_quantile(kTail, n - 1), scale = t * t / (n * (n - 1));
  // a r^2 - 2 b r + c <= 0
  const double a = mx * mx - scale * xx, b = mx * my - scale * xy, c = my * my - scale * yy;
  if (a <= 0) return interval;
  const double root = std::sqrt(std::max(0.0, b * b - a * c));
  interval.low = (b - root) / a;
  interval.high = (b + root) / a;
  return interval;
}

}  // namespace conclave
