#include "stats/interval.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace attune {
namespace {

// scipy.stats.t.interval(1 - alpha, n - 1, loc=mean, scale=sd / sqrt(n)), SciPy 1.17.1, NumPy's sd
// with ddof=1.
struct Known {
  std::vector<double> values;
  double alpha, mean, sd, low, high;
};
const std::vector<Known> kScipy = {
    {{0.953, 0.941, 0.962},
     0.05,
     0.952,
     0.010535653752852748,
     0.9258279851945945,
     0.9781720148054054},
    {{0.25, 0.75}, 0.05, 0.5, 0.3535533905932738, -2.6765511840436735, 3.6765511840436735},
    {{1000001, 1000002, 1000004, 1000008, 1000016},
     0.01,
     1000006.2,
     6.099180272790763,
     999993.6417035188,
     1000018.7582964811},
    {{0.01, 0.04, 0.09, 0.16, 0.25, 0.36, 0.49, 0.64, 0.81, 1.0},
     0.1,
     0.385,
     0.3417357653704589,
     0.18690219886687295,
     0.5830978011331269},
};

TEST(TInterval, AgreesWithSciPyToNineDigits) {
  for (const Known& k : kScipy) {
    const MeanEstimate e = mean_with_t_interval(k.values, k.alpha);
    EXPECT_EQ(e.n, static_cast<Index>(k.values.size()));
    EXPECT_NEAR(e.mean, k.mean, 1e-9 * std::abs(k.mean));
    EXPECT_NEAR(e.sd, k.sd, 1e-9 * k.sd);
    ASSERT_TRUE(e.interval);
    EXPECT_NEAR(e.interval->low, k.low, 1e-9 * std::abs(k.low));
    EXPECT_NEAR(e.interval->high, k.high, 1e-9 * std::abs(k.high));
  }
}

TEST(TInterval, OneReplicateHasNone) {
  const MeanEstimate e = mean_with_t_interval(std::vector<double>{0.7});
  EXPECT_EQ(e.n, 1);
  EXPECT_EQ(e.mean, 0.7);
  EXPECT_FALSE(e.interval);
}

// 0.1 + 0.1 + 0.1 is not 0.3: a naive mean gives equal replicates a spread.
TEST(TInterval, EqualReplicatesHaveNoSpreadAtAll) {
  const MeanEstimate e = mean_with_t_interval(std::vector<double>(3, 0.1));
  EXPECT_EQ(e.mean, 0.1);
  EXPECT_EQ(e.sd, 0);
  EXPECT_EQ(e.interval->low, 0.1);
  EXPECT_EQ(e.interval->high, 0.1);
}

TEST(TInterval, MovesWithItsValues) {
  const auto at = [](double shift) {
    return mean_with_t_interval(std::vector<double>{1 + shift, 2 + shift, 4 + shift})
        .interval->high;
  };
  EXPECT_NEAR(at(8) - at(0), 8, 1e-12);
}

TEST(TInterval, RefusesNothingAndNaN) {
  EXPECT_THROW(mean_with_t_interval({}), NumericError);
  const std::vector<double> diverged = {1, std::numeric_limits<double>::quiet_NaN()};
  EXPECT_THROW(mean_with_t_interval(diverged), NumericError);
  EXPECT_THROW(mean_with_t_interval(std::vector<double>{1, 2}, 1.0), NumericError);
}

}  // namespace
}  // namespace attune
