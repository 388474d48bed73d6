// What takes too long for every change: scripts/test --long.
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "base/philox.h"
#include "stats/interval.h"
#include "tests/process/kills.h"

namespace attune {
namespace {

TEST(Long, TwoHundredKillsChangeNoByte) {
  const KillReport report = kill_at_random(200, 23);
  EXPECT_EQ(report.kills, 200);
  EXPECT_GE(2 * report.after_checkpoint, report.kills);
}

// Student's interval covers 95 % of normal means, within 4σ of the repetitions; ±1.96·SE would
// cover 81 % at n = 3.
TEST(Long, TheTIntervalCoversWhatItSays) {
  constexpr int kRepetitions = 100000;
  for (const int n : {3, 5, 10}) {
    const Stream draw(5, "test", "coverage" + std::to_string(n));
    int covered = 0;
    for (int r = 0; r < kRepetitions; ++r) {
      std::vector<double> values;
      for (int i = 0; i < n; ++i) {
        const auto k = static_cast<std::uint64_t>(r) * 32 + static_cast<std::uint64_t>(2 * i);
        values.push_back(2 + 3 * std::sqrt(-2 * std::log(draw.uniform(k))) *
                                 std::cos(2 * std::numbers::pi * draw.uniform(k + 1)));
      }
      const auto interval = *mean_with_t_interval(values).interval;
      covered += interval.low <= 2 && 2 <= interval.high;
    }
    const double share = static_cast<double>(covered) / kRepetitions;
    EXPECT_NEAR(share, 0.95, 4 * std::sqrt(0.95 * 0.05 / kRepetitions)) << n;
  }
}

}  // namespace
}  // namespace attune
