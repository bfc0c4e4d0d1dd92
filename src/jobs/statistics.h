#pragma once

#include <limits>
#include <span>

namespace conclave {

// The mean of n values and its 95 % interval. low and high are NaN with fewer than two values (one value says nothing
// about the spread), mean is NaN with none.
struct Interval {
  static constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  double mean = kNone, low = kNone, high = kNone;
  int n = 0;

  bool bounded() const { return low <= high; }                // both ends are known
  bool excludes_zero() const { return low > 0 || high < 0; }  // false where they are not
};

// NaN of no values.
double mean(std::span<const double> values);

// The sample's standard deviation, with n - 1 below the sum of squares; NaN of fewer than two values.
double sample_deviation(std::span<const double> values);

// The regularised incomplete beta function I_x(a, b) by its continued fraction (DLMF 8.17.22, evaluated as Lentz did).
// REQUIRES: a, b > 0, 0 <= x <= 1.
double incomplete_beta(double a, double b, double x);

// P(T <= t) of Student's distribution with so many degrees of freedom, and its inverse. REQUIRES: freedom > 0,
// 0 < p < 1.
double student_t_cdf(double t, double freedom);
double student_t_quantile(double p, double freedom);

// mean ± t(0.975, n - 1) s / sqrt(n). Of differences of pairs it is the interval of the paired t-test.
Interval mean_interval(std::span<const double> values);

// The ratio of two means, mean(y) / mean(x), of values that come in pairs; the interval is Fieller's (1954): all r for
// which a paired t-test does not reject mean(y - r x) = 0. Where mean(x) may be zero that set is not an interval, and
// low and high are NaN. REQUIRES: as many x as y.
Interval ratio_interval(std::span<const double> y, std::span<const double> x);

}  // namespace conclave
