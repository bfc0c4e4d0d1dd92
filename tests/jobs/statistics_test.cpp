#include "jobs/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/random.h"

namespace conclave {
namespace {

// Expected values: SciPy 1.17.1.

TEST(Statistics, TheIncompleteBetaFunctionAgreesWithScipy) {
  const struct {
    double a, b, x, expected;  // scipy.special.betainc(a, b, x)
  } cases[] = {
      {0.5, 0.5, 0.3, 0.36901011956554536}, {2, 0.5, 0.9, 0.5414697392755851},   {5, 1, 0.5, 0.03125},
      {50, 0.5, 0.99, 0.3173043978741973},  {0.5, 20, 0.01, 0.4713699354850154}, {1.5, 2.5, 0.5, 0.7122065907891939}};
  for (const auto& c : cases) EXPECT_NEAR(incomplete_beta(c.a, c.b, c.x), c.expected, 1e-12) << c.a << " " << c.b;
  EXPECT_EQ(incomplete_beta(2, 3, 0), 0);
  EXPECT_EQ(incomplete_beta(2, 3, 1), 1);
}

TEST(Statistics, QuantilesOfStudentsDistributionAgreeWithScipy) {
  const struct {
    double p, freedom, expected;  // scipy.stats.t.ppf(p, freedom)
  } cases[] = {{0.975, 1, 12.706204736174694},  {0.975, 2, 4.302652729749462},    {0.975, 4, 2.7764451051977934},
               {0.975, 9, 2.262157162798205},   {0.975, 100, 1.9839715185235518}, {0.6, 4, 0.2707222947075976},
               {0.001, 3, -10.214531852407385}, {0.9999, 2.5, 34.867969321116306}};
  for (const auto& c : cases) {
    EXPECT_NEAR(student_t_quantile(c.p, c.freedom), c.expected, 1e-9 * std::abs(c.expected)) << c.p << " " << c.freedom;
    EXPECT_NEAR(student_t_cdf(c.expected, c.freedom), c.p, 1e-12);
  }
}

const std::vector<double> kA = {50.5, 49.5, 49.4, 51.2, 50.1}, kB = {49.9, 48.1, 49.0, 49.3, 49.6};

TEST(Statistics, TheIntervalOfAMeanAgreesWithScipy) {
  EXPECT_NEAR(mean(kA), 50.14, 1e-12);
  EXPECT_NEAR(sample_deviation(kA), 0.7436396977031295, 1e-12);
  const Interval interval = mean_interval(kA);  // scipy.stats.t.interval(0.95, 4, mean, sem)
  EXPECT_EQ(interval.n, 5);
  EXPECT_NEAR(interval.low, 49.216649359726894, 1e-10);
  EXPECT_NEAR(interval.high, 51.06335064027311, 1e-10);
}

TEST(Statistics, TheIntervalOfPairedDifferencesAgreesWithScipy) {
  std::vector<double> differences;
  for (std::size_t i = 0; i < kA.size(); ++i) differences.push_back(kA[i] - kB[i]);
  const Interval interval = mean_interval(differences);  // scipy.stats.ttest_rel(a, b).confidence_interval()
  EXPECT_NEAR(interval.mean, 0.96, 1e-12);
  EXPECT_NEAR(interval.low, 0.1429511233955999, 1e-10);
  EXPECT_NEAR(interval.high, 1.7770488766044017, 1e-10);
  EXPECT_TRUE(interval.excludes_zero());
}

TEST(Statistics, TheIntervalOfARatioHoldsWhatAPairedTestDoesNotReject) {
  const std::vector<double> y = {2.7, 2.4, 2.1, 3.3, 2.6}, x = {3.4, 3.9, 3.0, 3.6, 3.5};
  const Interval interval = ratio_interval(y, x);  // scipy: the r where ttest_1samp(y - r x, 0).pvalue is 0.05
  EXPECT_NEAR(interval.mean, 0.7528735632183909, 1e-12);
  EXPECT_NEAR(interval.low, 0.607493901259373, 1e-9);
  EXPECT_NEAR(interval.high, 0.904075954730953, 1e-9);
}

TEST(Statistics, ARatioToWhatMayBeZeroHasNoInterval) {
  const Interval interval = ratio_interval(std::vector<double>{1, 2, 3}, std::vector<double>{1, -1, 0.3});
  EXPECT_EQ(interval.n, 3);
  EXPECT_FALSE(interval.bounded());
  EXPECT_TRUE(std::isnan(ratio_interval(std::vector<double>{1, 2}, std::vector<double>{1, -1}).mean));
}

TEST(Statistics, FewerThanTwoValuesHaveNoInterval) {
  const Interval none = mean_interval({}), one = mean_interval(std::vector<double>{0.5});
  EXPECT_EQ(none.n, 0);
  EXPECT_TRUE(std::isnan(none.mean));
  EXPECT_EQ(one.n, 1);
  EXPECT_EQ(one.mean, 0.5);
  EXPECT_FALSE(one.bounded());
  EXPECT_FALSE(one.excludes_zero());
  EXPECT_FALSE(ratio_interval(std::vector<double>{1}, std::vector<double>{2}).bounded());
}

TEST(Statistics, EqualDifferencesOfZeroDoNotExcludeZero) {
  EXPECT_FALSE(mean_interval(std::vector<double>{0, 0, 0}).excludes_zero());
}

// Differences of equal methods: whatever the spread, about 5 % of the intervals miss zero. 4000 draws: 5 % ± 1.4 %
// at four standard errors.
TEST(Statistics, OfEqualMethodsOneIntervalInTwentyExcludesZero) {
  for (const int seeds : {2, 3, 5, 10}) {
    CounterRandom random(static_cast<std::uint64_t>(seeds));
    int missed = 0;
    for (int trial = 0; trial < 4000; ++trial) {
      std::vector<double> differences;
      for (int s = 0; s < seeds; ++s) differences.push_back(random.normal() - random.normal());
      missed += mean_interval(differences).excludes_zero() ? 1 : 0;
    }
    EXPECT_GT(missed, 4000 * 0.036) << seeds;
    EXPECT_LT(missed, 4000 * 0.064) << seeds;
  }
}

}  // namespace
}  // namespace conclave
