#include "stats/replicates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace attune {
namespace {

using testing::HasSubstr;

// scipy.stats.binomtest(k, n).proportion_ci(1 - alpha, "exact"), SciPy 1.17.1.
TEST(FractionInterval, AgreesWithSciPyToNineDigits) {
  struct Known {
    Index k, n;
    double alpha, low, high;
  };
  for (const Known& known :
       std::vector<Known>{{5, 5, 0.05, 0.47817624989501856, 1.0},
                          {17, 17, 0.05, 0.8049356770312616, 1.0},
                          {0, 7, 0.05, 0.0, 0.4096163972250487},
                          {3, 24, 0.01, 0.014592249816247675, 0.3872647134560509},
                          {23, 24, 0.00625, 0.7124426131617423, 0.9998695962945978}}) {
    const Interval i = fraction_interval(known.k, known.n, known.alpha);
    EXPECT_NEAR(i.low, known.low, 1e-9);
    EXPECT_NEAR(i.high, known.high, 1e-9);
  }
  EXPECT_THROW(fraction_interval(3, 2), NumericError);
}

// 2·P(B ≤ 0) = 2/2⁵ > .05 and 2/2⁶ < .05; of 10 the largest k with 2·P(B < k) ≤ .05 is 2, of 20
// it is 6 (tables of the sign test).
TEST(MedianInterval, LiesBetweenOrderStatistics) {
  std::vector<double> x;
  for (int i = 1; i <= 20; ++i) x.push_back((i * 7) % 20 + 1);  // 1 … 20 in another order
  const auto first = [&](std::size_t n) {
    std::vector<double> values(x.begin(), x.end());
    std::sort(values.begin(), values.end());
    values.resize(n);
    return values;
  };
  EXPECT_FALSE(median_interval(first(5)));
  EXPECT_EQ(median_interval(first(6))->low, 1);
  EXPECT_EQ(median_interval(first(6))->high, 6);
  EXPECT_EQ(median_interval(first(10))->low, 2);
  EXPECT_EQ(median_interval(first(10))->high, 9);
  EXPECT_EQ(median_interval(x)->low, 6);
  EXPECT_EQ(median_interval(x)->high, 15);
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 2, 3}), 2.5);
}

const std::vector<double> kX = {.31, .44, .18, .92, .57, .43, .75, .66},
                          kY = {1.2, 1.9, .3, 2.2, 2.6, 1.1, 2.0, 1.9};

// scipy.stats: ttest_1samp, pearsonr, spearmanr (with a tie), linregress.
TEST(Replicates, AgreeWithSciPyToNineDigits) {
  std::vector<double> shifted;
  for (const double x : kX) shifted.push_back(x - 0.4);
  EXPECT_NEAR(t_test(shifted), 0.16450601756526048, 1e-9);
  EXPECT_NEAR(*correlation(kX, kY), 0.7779071401728297, 1e-9);
  EXPECT_NEAR(*rank_correlation(kX, kY), 0.814385858101016, 1e-9);
  EXPECT_NEAR(slope(kX, kY), 2.367937247211668, 1e-9);
}

TEST(Replicates, HaveNoCorrelationWithAConstant) {
  EXPECT_FALSE(correlation(kX, std::vector<double>(8, 1.5)));
  EXPECT_THROW(slope(std::vector<double>(8, 1.5), kX), NumericError);
  EXPECT_THROW(correlation(kX, std::vector<double>{1}), NumericError);
}

// Holm's own rule by hand: sorted .01 .02 .04 .3 times 4, 3, 2, 1, never falling.
TEST(Holm, CorrectsStepByStep) {
  const std::vector<double> p = {.3, .01, .04, .02};
  const std::vector<double> corrected = holm(p), expected = {.3, .04, .08, .06};
  for (std::size_t i = 0; i < p.size(); ++i) EXPECT_NEAR(corrected[i], expected[i], 1e-12);
  const std::vector<double> capped = holm(std::vector<double>{.9, .8});
  EXPECT_EQ(capped[0], 1);
  EXPECT_EQ(capped[1], 1);
}

TEST(ShapeProblem, SeesEqualReplicatesAndClusters) {
  EXPECT_THAT(shape_problem(std::vector<double>(5, 1.0)), HasSubstr("all 5 replicates are 1"));
  // Solved or not: a gap of the whole range.
  EXPECT_THAT(shape_problem(std::vector<double>{1, 1, 1, 0.1, 1}), HasSubstr("clusters"));
  EXPECT_EQ(shape_problem(std::vector<double>{0.3, 0.5, 0.1, 0.9, 0.7}), "");
  // At n = 10 the 1 % point is .577 of the range.
  const auto with_gap = [](double gap) {
    std::vector<double> x = {0};
    for (int i = 0; i < 9; ++i) x.push_back(gap + (1 - gap) * i / 8);
    return x;
  };
  EXPECT_EQ(shape_problem(with_gap(.56)), "");
  EXPECT_THAT(shape_problem(with_gap(.60)), HasSubstr("60 % of their range"));
}

// The half-width of n seeds is t(1 − α/2, n − 1)·s/√n: the least n of each end decides, one fewer
// does not.
TEST(SeedsNeeded, AreThoseWhoseHalfWidthIsBelowTheDistance) {
  const auto seeds = seeds_needed(10, 1.0, 0.5);
  ASSERT_TRUE(seeds);
  // s·√(9/χ²): χ²(.9; 9) = 14.6837, χ²(.1; 9) = 4.16816.
  const double least = std::sqrt(9 / 14.68365657), most = std::sqrt(9 / 4.168159008);
  const auto half = [](Index n, double s) {
    std::vector<double> x(static_cast<std::size_t>(n));  // of variance s²
    const double a = s * std::sqrt(static_cast<double>(n - 1) / static_cast<double>(n));
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = i % 2 == 0 ? a : -a;
    const MeanEstimate e = mean_with_t_interval(x);
    return (e.interval->high - e.interval->low) / 2 * s / e.sd;
  };
  EXPECT_LT(half(seeds->low, least), 0.5);
  EXPECT_GE(half(seeds->low - 1, least), 0.5);
  EXPECT_LT(half(seeds->high, most), 0.5);
  EXPECT_GE(half(seeds->high - 1, most), 0.5);
  EXPECT_FALSE(seeds_needed(10, 1.0, 1e-3));  // on the boundary
  EXPECT_FALSE(seeds_needed(10, 0.0, 1.0));
}

}  // namespace
}  // namespace attune
