// What takes too long for every change: scripts/test --long.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <numbers>

#include "base/philox.h"
#include "stats/interval.h"
#include "tests/process/fault_runs.h"

namespace attune {
namespace {

TEST(Long, TwoHundredKillsChangeNoByte) {
  const KillReport report = kill_at_random(200, 23);
  EXPECT_EQ(report.kills, 200);
  EXPECT_GE(2 * report.after_checkpoint, report.kills);
}

TEST(Long, TwoHundredKillsOfASweepWithWorkersChangeNoByte) {
  const KillReport report = kill_sweep_at_random(200, 31, 300);
  EXPECT_EQ(report.kills, 200);
  EXPECT_GE(2 * report.after_checkpoint, report.kills);
  EXPECT_GE(report.of_parents, 20);
  EXPECT_GE(report.kills - report.of_parents, 100);
  std::printf("%ld kills, %ld of them of parents, %ld after a checkpoint\n",
              static_cast<long>(report.kills), static_cast<long>(report.of_parents),
              static_cast<long>(report.after_checkpoint));
}

// Every kind of call that changes a file of a study, early and late.
TEST(Long, AKillAtAnyKindOfCallChangesNoByte) {
  const TestFolder folder;
  ASSERT_EQ(run_attune(small_sweep(folder, "whole", {"-j", "2"})).code, 0);
  const auto whole = run_file_bytes_in(folder / "whole");
  ASSERT_EQ(whole.size(), 4U);
  for (const char* what : {"kill write /journal 1",        "kill write /journal 300",
                           "tear write /journal 2",        "tear write /journal 300",
                           "kill sync /journal 1",         "kill sync /journal 5",
                           "kill write ckpt.tmp 1",        "tear write ckpt.tmp 1",
                           "tear write ckpt.tmp 6",        "kill sync ckpt.tmp 1",
                           "kill sync ckpt.tmp 5",         "kill rename ckpt.tmp 1",
                           "kill rename ckpt.tmp 6",       "kill unlink ckpt- 1",
                           "kill unlink ckpt- 4",          "tear write .attempts.tmp 1",
                           "kill rename .attempts.tmp 1",  "tear write .trial.tmp 1",
                           "kill rename .trial.tmp 1",     "kill write /lock 1",
                           "tear write .h5.tmp 1",         "kill sync .h5.tmp 1",
                           "kill rename .h5.tmp 1",        "tear write .meta.json.tmp 1",
                           "kill rename .meta.json.tmp 1", "kill sync /trials 1",
                           "kill sync /trials 2",          "kill unlink /lock 1",
                           "tear write .study.yaml.tmp 1", "kill rename .study.yaml.tmp 1"})
    expect_a_kill_changes_nothing(what, whole);
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
