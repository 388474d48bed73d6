#include "stats/crossed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "base/philox.h"

namespace attune {
namespace {

using Rows = std::vector<std::vector<double>>;

TEST(Crossed, AgreesWithATableWorkedByHand) {
  // S = 2, G = 3. Seed means 2 and 4, group means 2, 3, 4, every residual 0:
  // VS = var(2, 4)/2 = 1, VG = var(2, 3, 4)/3 = 1/3, VE = 0, V = 4/3,
  // df = V²/(1²/1 + (1/3)²/2) = (16/9)/(19/18) = 32/19.
  const auto e = crossed_interval({{1, 2, 3}, {3, 4, 5}}, 3.0);
  EXPECT_EQ(e.n_seeds, 2);
  EXPECT_EQ(e.n_groups, 3);
  EXPECT_DOUBLE_EQ(e.seed_variance, 1);
  EXPECT_DOUBLE_EQ(e.group_variance, 1.0 / 3);
  EXPECT_DOUBLE_EQ(e.variance, 4.0 / 3);
  EXPECT_DOUBLE_EQ(e.df, 32.0 / 19);
  EXPECT_DOUBLE_EQ(e.group_share(), 0.25);
  constexpr double kT = 5.1762316285465175;  // scipy.stats.t.ppf(.975, 32/19), SciPy 1.17.1
  ASSERT_TRUE(e.interval);
  EXPECT_NEAR((e.interval->high - e.interval->low) / 2, kT * std::sqrt(4.0 / 3), 1e-9);
  EXPECT_DOUBLE_EQ(e.interval->high + e.interval->low, 6.0);
}

TEST(Crossed, TheResidualIsTakenOffOnlyAsFarAsTheLargerPart) {
  // Pure interaction: both margins are 0, so that V is 0 rather than negative.
  const auto e = crossed_interval({{1, -1}, {-1, 1}}, 0.5);
  EXPECT_EQ(e.variance, 0);
  EXPECT_EQ(e.df, 1);
  EXPECT_EQ(e.interval->low, 0.5);
  // Margins (0, 2) and (.5, 1.5) with residuals ±1.5: VS + VG − VE < VS, so that VS stands.
  const auto f = crossed_interval({{1, -1}, {0, 4}}, 1);
  EXPECT_DOUBLE_EQ(f.seed_variance, 1);
  EXPECT_DOUBLE_EQ(f.group_variance, 0.25);
  EXPECT_DOUBLE_EQ(f.variance, 1);
}

TEST(Crossed, OneSeedIsAStudentIntervalOverTheGroups) {
  const std::vector<double> y = {0.5, 1, 4, 2.25, 3};
  const std::vector<Index> group = {7, 3, 11, 5, 1};
  const auto crossed = crossed_mean({y}, group);
  const auto plain = mean_with_t_interval(y);
  EXPECT_NEAR(crossed.value, plain.mean, 1e-15);
  EXPECT_NEAR(crossed.interval->low, plain.interval->low, 1e-12);
  EXPECT_NEAR(crossed.interval->high, plain.interval->high, 1e-12);
  EXPECT_EQ(crossed.df, 4);
}

TEST(Crossed, OneGroupIsAStudentIntervalOverTheSeeds) {
  const auto crossed = crossed_mean({{1, 3}, {2, 5}, {4, 1}}, std::vector<Index>{4, 4});
  const auto plain = mean_with_t_interval(std::vector<double>{2, 3.5, 2.5});
  EXPECT_NEAR(crossed.interval->low, plain.interval->low, 1e-12);
  EXPECT_NEAR(crossed.interval->high, plain.interval->high, 1e-12);
}

TEST(Crossed, NothingIsKnownOfOneSeedOnOneGroup) {
  EXPECT_FALSE(crossed_mean({{1, 3}}, std::vector<Index>{4, 4}).interval);
}

TEST(Crossed, TheMeanCountsExamplesNotGroups) {
  // Three examples of one group and one of another.
  const auto e = crossed_mean({{1, 1, 1, 0}, {1, 1, 1, 1}}, std::vector<Index>{0, 0, 0, 9});
  EXPECT_DOUBLE_EQ(e.value, 7.0 / 8);
  EXPECT_EQ(e.n_groups, 2);
}

TEST(Crossed, PseudoValuesOfAMeanOverGroupsOfOneAreTheValues) {
  const Rows y = {{0.1, 0.9, 0.4, 0.3, 0.8}, {0.2, 0.7, 0.9, 0.1, 0.6}, {0, 1, 0.5, 0.2, 0.3}};
  const std::vector<Index> group = {0, 1, 2, 3, 4};
  const auto mean = crossed_mean(y, group);
  const auto jackknife = crossed_statistic(3, group, [&](Index s, std::span<const Index> examples) {
    double sum = 0;
    for (const Index i : examples)
      sum += y[static_cast<std::size_t>(s)][static_cast<std::size_t>(i)];
    return std::optional(sum / static_cast<double>(examples.size()));
  });
  ASSERT_TRUE(jackknife);
  EXPECT_NEAR(jackknife->value, mean.value, 1e-14);
  EXPECT_NEAR(jackknife->variance, mean.variance, 1e-14);
  EXPECT_NEAR(jackknife->df, mean.df, 1e-9);
}

TEST(Crossed, AStatisticThatDiesWithAGroupKeepsItsValueAndHasNoInterval) {
  const std::vector<Index> group = {0, 0, 1};
  const auto e = crossed_statistic(2, group, [](Index, std::span<const Index> examples) {
    return examples.size() > 1 ? std::optional(0.5) : std::nullopt;
  });
  ASSERT_TRUE(e);
  EXPECT_EQ(e->value, 0.5);
  EXPECT_FALSE(e->interval);
  const auto none = crossed_statistic(
      2, group, [](Index, std::span<const Index>) { return std::optional<double>(); });
  EXPECT_FALSE(none);
}

TEST(Crossed, CoversNewSeedsAndNewGroupsTogether) {
  // y = seed + group + noise, all standard normal; 95 % intervals over 2000 worlds of 5 seeds and
  // 40 groups of two. Seeds alone would cover 1 − 2·P(…) of far less, since groups are shared.
  const Stream stream(7, "test", "crossed");
  constexpr std::uint32_t kWorlds = 2000;
  int covered = 0, covered_by_seeds = 0;
  for (std::uint32_t world = 0; world < kWorlds; ++world) {
    std::uint64_t draw = 0;
    const auto normal = [&] {
      const double u = 1 - stream.uniform(draw, world, 0), v = stream.uniform(draw, world, 1);
      ++draw;
      return std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v);
    };
    std::vector<double> of_group(40);
    std::vector<Index> group;
    for (double& g : of_group) g = normal();
    for (Index i = 0; i < 80; ++i) group.push_back(i / 2);
    Rows y(5, std::vector<double>(80));
    std::vector<double> means;
    for (auto& seed : y) {
      const double of_seed = 0.2 * normal();
      double sum = 0;
      for (std::size_t i = 0; i < 80; ++i) sum += seed[i] = of_seed + of_group[i / 2] + normal();
      means.push_back(sum / 80);
    }
    const auto covers = [](const Interval& i) { return i.low <= 0 && 0 <= i.high; };
    covered += covers(*crossed_mean(y, group).interval);
    covered_by_seeds += covers(*mean_with_t_interval(means).interval);
  }
  const double share = covered / double{kWorlds};
  EXPECT_GT(share, 0.93);
  EXPECT_LT(share, 0.975);
  EXPECT_LT(covered_by_seeds / double{kWorlds}, 0.9);
}

TEST(Crossed, WhatCannotBeIsRefused) {
  EXPECT_THROW(crossed_interval({}, 0), NumericError);
  EXPECT_THROW(crossed_interval({{1, 2}, {1}}, 0), NumericError);
  EXPECT_THROW(crossed_interval({{1, std::nan("")}, {1, 2}}, 0), NumericError);
  EXPECT_THROW(crossed_mean({{1, 2}}, std::vector<Index>{0}), NumericError);
}

}  // namespace
}  // namespace attune
