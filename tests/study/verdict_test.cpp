// What is said of claims, from run files whose numbers are known; figures by SciPy 1.17 where they
// are not plain sums.
#include "study/verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "tests/study/written_study.h"

namespace attune {
namespace {

using testing::DoubleNear;
using testing::HasSubstr;

double lr_of(const Trial& trial) {
  for (const ConfigLeaf& leaf : trial.config)
    if (leaf.key == "optim.lr") return std::get<double>(leaf.value);
  return 0;
}

// Values by seed of the rows lr=0.1 and lr=0.2.
const std::vector<double> kA = {0.81, 0.84, 0.79, 0.86, 0.80};
const std::vector<double> kB = {0.75, 0.80, 0.72, 0.79, 0.77};

WrittenStudy two_rows(const std::string& claims, const std::vector<double>& a = kA,
                      const std::vector<double>& b = kB) {
  return WrittenStudy(
      sweep_text("[0.1, 0.2]", fmt::format("n={}", std::min(a.size(), b.size())), claims));
}

void write(WrittenStudy& study, const std::vector<double>& a = kA,
           const std::vector<double>& b = kB) {
  study.write_metric("test", "auc", [&](const Trial& trial) {
    return (lr_of(trial) == 0.1 ? a : b)[static_cast<std::size_t>(trial.seed)];
  });
}

const std::string kDifference =
    "  - {id: c, says: s, estimand: {difference: test/auc, of: {optim.lr: 0.1}, minus: {optim.lr: "
    "0.2}}, expect: ";

TEST(Verdict, ADifferenceIsPairedBySeed) {
  WrittenStudy study = two_rows(kDifference + "{above: 0.02}}\n");
  write(study);
  const Judgement j = study.judged("c");
  // scipy.stats.ttest_rel(a, b).confidence_interval(0.95)
  EXPECT_NEAR(j.estimate.value(), 0.054, 1e-12);
  EXPECT_NEAR(j.interval->low, 0.031444053, 1e-8);
  EXPECT_NEAR(j.interval->high, 0.076555947, 1e-8);
  EXPECT_NEAR(j.correlation.value(), 0.82827323, 1e-8);
  EXPECT_NEAR(j.p.value(), 0.00265961, 1e-8);
  EXPECT_EQ(j.verdict, Verdict::supported);
  EXPECT_EQ(j.n, 5);
}

TEST(Verdict, TheRegionDecides) {
  const std::pair<const char*, Verdict> cases[] = {
      {"{above: 0.0314}", Verdict::supported},
      {"{above: 0.0315}", Verdict::undecided},
      {"{above: 0.08}", Verdict::contradicted},
      {"{below: 0.08}", Verdict::supported},
      {"{below: 0.03}", Verdict::contradicted},
      {"{between: [0.03, 0.08]}", Verdict::supported},
      {"{between: [0.04, 0.09]}", Verdict::undecided},
      {"{between: [0.1, 0.2]}", Verdict::contradicted}};
  for (const auto& [region, verdict] : cases) {
    WrittenStudy study = two_rows(kDifference + region + "}\n");
    write(study);
    EXPECT_EQ(study.judged("c").verdict, verdict) << region;
  }
}

// Two claims of intervals share alpha; one that is exact takes none of it.
TEST(Verdict, IntervalsOfAFileShareAlpha) {
  WrittenStudy study = two_rows(
      kDifference + "{above: 0.02}}\n" +
      "  - {id: d, estimand: {mean: test/auc, of: {optim.lr: 0.1}}, expect: {above: 0.5}}\n"
      "  - {id: e, estimand: {min: test/auc, of: {optim.lr: 0.1}}, expect: {above: 0.5}}\n");
  write(study);
  const Judgement j = study.judged("c");
  EXPECT_DOUBLE_EQ(j.level, 0.975);
  EXPECT_NEAR(j.interval->low, 0.025603188, 1e-8);
  EXPECT_NEAR(j.interval95->low, 0.031444053, 1e-8);
  EXPECT_EQ(study.judged("e").verdict, Verdict::supported);
}

TEST(Verdict, ARatioIsOfLogs) {
  WrittenStudy study = two_rows(
      "  - {id: c, estimand: {ratio: test/auc, of: {optim.lr: 0.1}, over: {optim.lr: 0.2}}, "
      "expect: "
      "{between: [1, 1.2]}}\n");
  write(study);
  const Judgement j = study.judged("c");
  double sum = 0;
  for (std::size_t i = 0; i < kA.size(); ++i) sum += std::log(kA[i] / kB[i]);
  EXPECT_NEAR(j.estimate.value(), std::exp(sum / 5), 1e-12);
  EXPECT_NEAR(std::log(j.interval->high) - sum / 5, sum / 5 - std::log(j.interval->low), 1e-12);
  WrittenStudy negative = two_rows(
      "  - {id: c, estimand: {ratio: test/auc, of: {optim.lr: 0.1}, over: {optim.lr: 0.2}}, "
      "expect: "
      "{between: [1, 1.2]}}\n");
  write(negative, {0.5, -0.5, 0.5, 0.5, 0.5});
  EXPECT_EQ(negative.judged("c").verdict, Verdict::undecided);
  EXPECT_THAT(negative.judged("c").reason, HasSubstr("seed 1"));
}

// y = 2 − 3 ln x + e, one slope a seed.
TEST(Verdict, ASlopeIsOneASeed) {
  WrittenStudy study(sweep_text(
      "[0.1, 0.2, 0.4, 0.8]", "n=3",
      "  - {id: c, estimand: {slope: test/loss, against: optim.lr, scale: linear-log}, expect: "
      "{between: [-4, -2]}}\n  - {id: r, estimand: {spearman: test/loss, against: optim.lr}, "
      "expect: {below: 0}}\n"));
  const std::vector<double> tilt = {-0.1, 0.02, 0.08};
  study.write_metric("test", "loss", [&](const Trial& trial) {
    return 2 - (3 + tilt[static_cast<std::size_t>(trial.seed)]) * std::log(lr_of(trial));
  });
  const Judgement j = study.judged("c");
  EXPECT_THAT(j.values, testing::ElementsAre(DoubleNear(-2.9, 1e-12), DoubleNear(-3.02, 1e-12),
                                             DoubleNear(-3.08, 1e-12)));
  EXPECT_EQ(j.n, 3);
  EXPECT_EQ(j.verdict, Verdict::supported);
  EXPECT_EQ(j.reason, "");  // no bend
  // 3 of 3 lie in [.29, 1] at 95 %: no majority for certain.
  EXPECT_EQ(study.judged("r").verdict, Verdict::undecided);
  EXPECT_NEAR(study.judged("r").interval95->low, 0.29240177, 1e-8);
}

// y = x² over ln-ln is a power law; y = exp(3x) is none.
TEST(Verdict, CurvatureIsToldBesideASlope) {
  const std::string claim =
      "  - {id: c, estimand: {slope: test/loss, against: optim.lr, scale: log-log}, expect: "
      "{between: [0.5, 2.5]}}\n";
  WrittenStudy law(sweep_text("[0.1, 0.2, 0.4, 0.8]", "n=4", claim)),
      bent(sweep_text("[0.1, 0.2, 0.4, 0.8]", "n=4", claim));
  const auto noise = [](const Trial& trial) {
    return 1 + 0.002 * std::sin(10 * lr_of(trial) + 5 * static_cast<double>(trial.seed));
  };
  law.write_metric("test", "loss",
                   [&](const Trial& t) { return std::pow(lr_of(t), 2) * noise(t); });
  bent.write_metric("test", "loss",
                    [&](const Trial& t) { return std::exp(3 * lr_of(t)) * noise(t); });
  EXPECT_EQ(law.judged("c").reason, "");
  EXPECT_THAT(bent.judged("c").reason, HasSubstr("not a power law on this range"));
}

TEST(Verdict, AFractionIsExact) {
  const auto judged = [](Index right, Index n, const char* expect) {
    WrittenStudy study(sweep_text(
        "[0.1]", fmt::format("n={}", n),
        fmt::format(
            "  - {{id: c, estimand: {{fraction: test/accuracy, above: 0.95}}, expect: {}}}\n",
            expect)));
    study.write_metric("test", "accuracy",
                       [&](const Trial& trial) { return trial.seed < right ? 0.99 : 0.5; });
    return study.judged("c");
  };
  EXPECT_EQ(judged(17, 17, "{above: 0.8}").verdict, Verdict::supported);
  EXPECT_EQ(judged(16, 16, "{above: 0.8}").verdict, Verdict::undecided);
  EXPECT_NEAR(judged(5, 5, "{above: 0.4}").interval->low, 0.47817625, 1e-8);
  EXPECT_EQ(judged(2, 17, "{above: 0.5}").verdict, Verdict::contradicted);
}

// Ties and clusters say nothing of a spread that Student's t could use.
TEST(Verdict, ClustersAreUndecided) {
  WrittenStudy study = two_rows(kDifference + "{above: 0.02}}\n");
  write(study, {1, 1, 1, 1, 0.1}, {0, 0, 0, 0, 0});
  EXPECT_EQ(study.judged("c").verdict, Verdict::undecided);
  EXPECT_THAT(study.judged("c").reason, HasSubstr("clusters"));
  WrittenStudy equal = two_rows(kDifference + "{above: 0.02}}\n");
  write(equal, {1, 1, 1, 1, 1}, {0, 0, 0, 0, 0});
  EXPECT_EQ(equal.judged("c").verdict, Verdict::undecided);
  EXPECT_THAT(equal.judged("c").reason, HasSubstr("fraction"));
}

TEST(Verdict, NothingIsComputedFromSurvivors) {
  WrittenStudy study = two_rows(kDifference + "{above: 0.02}}\n");
  study.write([&](const Trial& trial, RunContent& content, RunMetadata&) {
    if (trial.seed == 3 && lr_of(trial) == 0.1) content.status.clear();
    content.final.push_back({"test", "auc", 0.5, "1", "maximize", "last"});
  });
  const Judgement j = study.judged("c");
  EXPECT_EQ(j.verdict, Verdict::incomplete);
  EXPECT_EQ(j.reason, "1 of 10 trials are missing");
  EXPECT_FALSE(j.estimate);
}

// Of five seeds one diverges in the first row.
Judgement with_a_failure(const std::string& claim, double others) {
  WrittenStudy study(sweep_text("[0.1, 0.2]", "n=5", claim));
  study.write([&](const Trial& trial, RunContent& content, RunMetadata&) {
    const bool first = lr_of(trial) == 0.1;
    if (first && trial.seed == 2) content.status = "diverged";
    const double jitter = 0.01 * static_cast<double>((trial.seed * 7) % 5) * (first ? 1 : -1);
    const double value = first ? (trial.seed == 2 ? NAN : others + jitter) : 0.3 + jitter;
    content.final.push_back({"test", "accuracy", value, "1", "maximize", "last"});
    content.final.push_back({"test", "loss", value, "nat", "minimize", "last"});
  });
  return study.judged("c");
}

TEST(Verdict, FailuresAreOutcomes) {
  const auto claim = [](const std::string& metric, const std::string& more) {
    return "  - {id: c, estimand: {difference: test/" + metric +
           ", of: {optim.lr: 0.1}, minus: {optim.lr: 0.2}}, expect: {above: 0.1}" + more + "}\n";
  };
  const Judgement undecided = with_a_failure(claim("loss", ""), 0.9);
  EXPECT_EQ(undecided.verdict, Verdict::undecided);
  EXPECT_THAT(undecided.reason, HasSubstr("1 of 5 seeds diverged"));
  const Judgement dropped = with_a_failure(claim("loss", ", if_failed: drop"), 0.9);
  EXPECT_EQ(dropped.verdict, Verdict::supported);
  EXPECT_EQ(dropped.n, 4);
  EXPECT_THAT(dropped.remarks,
              testing::Contains(HasSubstr("1 of 5 seeds diverged and are dropped")));
  const Judgement valued = with_a_failure(claim("loss", ", if_failed: {value: 0.8}"), 0.9);
  EXPECT_EQ(valued.n, 5);
  EXPECT_EQ(valued.verdict, Verdict::supported);
  EXPECT_NEAR(valued.values[2], 0.8 - (0.3 - 0.04), 1e-12);
}

// An accuracy lies between 0 and 1 whatever the seed that diverged would have had.
TEST(Verdict, OfABoundedMetricAVerdictMayHoldWhateverFailed) {
  const std::string claim =
      "  - {id: c, estimand: {mean: test/accuracy, of: {optim.lr: 0.1}}, expect: {above: ";
  WrittenStudy sure(sweep_text("[0.1]", "n=10", claim + "0.2}}\n"));
  WrittenStudy open(sweep_text("[0.1]", "n=10", claim + "0.8}}\n"));
  for (WrittenStudy* study : {&sure, &open})
    study->write([&](const Trial& trial, RunContent& content, RunMetadata&) {
      if (trial.seed == 4) content.status = "diverged";
      const double value = 0.9 + 0.08 * std::sin(1.0 + static_cast<double>(trial.seed));
      content.final.push_back({"test", "accuracy", value, "1", "maximize", "last"});
    });
  EXPECT_EQ(open.judged("c").verdict, Verdict::undecided);
  // With 0 for seed 4 the replicates are no longer normal, and shape forbids a mean.
  EXPECT_EQ(sure.judged("c").verdict, Verdict::undecided);
}

TEST(Verdict, AnExactClaimNamesItsFirstFailure) {
  const std::string claim =
      "  - {id: c, estimand: {difference: test/auc, of: {optim.lr: 0.1}, minus: {optim.lr: 0.2}}, "
      "expect: {equal: 0.25}}\n";
  WrittenStudy fails(sweep_text("[0.1, 0.2]", "n=3", claim)),
      holds(sweep_text("[0.1, 0.2]", "n=3", claim));
  write(holds, {0.5, 0.75, 1}, {0.25, 0.5, 0.75});
  EXPECT_EQ(holds.judged("c").verdict, Verdict::supported);
  write(fails, {0.5, 0.75, 1}, {0.25, 0.5, 0.7});
  EXPECT_EQ(fails.judged("c").verdict, Verdict::contradicted);
  EXPECT_THAT(fails.judged("c").reason, HasSubstr("seed 2"));
}

TEST(Verdict, AMedianNeedsSixSeeds) {
  const std::string claim = "  - {id: c, estimand: {median: test/auc}, expect: {above: 0.4}}\n";
  WrittenStudy five(sweep_text("[0.1]", "n=5", claim)), six(sweep_text("[0.1]", "n=6", claim));
  for (WrittenStudy* study : {&five, &six})
    study->write_metric("test", "auc",
                        [](const Trial& t) { return 0.5 + 0.01 * static_cast<double>(t.seed); });
  EXPECT_EQ(five.judged("c").verdict, Verdict::undecided);
  EXPECT_EQ(six.judged("c").verdict, Verdict::supported);
  EXPECT_DOUBLE_EQ(six.judged("c").estimate.value(), 0.525);
  EXPECT_DOUBLE_EQ(six.judged("c").interval->low, 0.5);
}

TEST(Verdict, AnUndecidedOneSaysHowManySeedsWouldDecide) {
  WrittenStudy study = two_rows(kDifference + "{above: 0.045}}\n");
  write(study);
  EXPECT_THAT(study.judged("c").reason, HasSubstr("seeds would decide it"));
  WrittenStudy boundary = two_rows(kDifference + "{above: 0.054}}\n");
  write(boundary);
  EXPECT_THAT(boundary.judged("c").reason, HasSubstr("boundary"));
}

TEST(Verdict, ASignIsSaidToBeOneAlone) {
  WrittenStudy study = two_rows(kDifference + "{above: 0, sign_only: true}}\n");
  write(study);
  EXPECT_EQ(study.judged("c").verdict, Verdict::supported);
  EXPECT_EQ(study.judged("c").reason, "sign only");
}

// Chosen by val/loss, read on the test split: the row that test prefers is another.
TEST(Verdict, OwnBestIsChosenOnValidation) {
  WrittenStudy study(
      sweep_text("[0.1, 0.2, 0.4]", "n=3",
                 "  - {id: c, estimand: {mean: test/auc, at: own_best}, expect: {above: 0.1}}\n"));
  study.write([&](const Trial& trial, RunContent& content, RunMetadata&) {
    const double jitter = 0.001 * std::pow(static_cast<double>(trial.seed), 2);
    content.final.push_back(
        {"val", "loss", (lr_of(trial) == 0.2 ? 0.3 : 0.6) + jitter, "nat", "minimize", "last"});
    content.final.push_back({"test", "auc", 1 - lr_of(trial) + jitter, "1", "maximize", "last"});
  });
  const Judgement j = study.judged("c");
  EXPECT_NEAR(j.estimate.value(), 0.8 + 0.005 / 3, 1e-12);
  EXPECT_THAT(j.remarks, testing::Contains(HasSubstr("lr=0.2 of 3 rows, chosen by val/loss")));
}

TEST(Verdict, RowsMayBeAveragedWithinASeed) {
  WrittenStudy study(sweep_text("[0.1, 0.3]", "n=3",
                                "  - {id: c, estimand: {mean: test/auc, average_over: [optim.lr]}, "
                                "expect: {above: 0.1}}\n"));
  study.write_metric("test", "auc", [](const Trial& t) {
    return lr_of(t) + 0.1 * std::sqrt(static_cast<double>(t.seed));
  });
  EXPECT_NEAR(study.judged("c").values[0], 0.2, 1e-12);
  EXPECT_NEAR(study.judged("c").values[1], 0.3, 1e-12);
}

// Time and memory stand in the metadata; replicates are the repeats.
TEST(Verdict, MeasurementsAreOfRepeats) {
  WrittenStudy study(
      "schema: attune/sweep@1\nname: t\nbase: {kind: op_cost, op_cost: {n: 64}}\nmethod: grid\n"
      "parameters: {op_cost.n: {values: [64, 128, 256]}}\nrepeats: {count: 4}\nclaims:\n"
      "  - {id: c, estimand: {slope: time/total, against: op_cost.n, scale: log-log}, expect: "
      "{between: [1.9, 2.1]}}\n"
      "  - {id: e, estimand: {ratio: count/scores, of: {op_cost.n: 128}, over: {op_cost.n: 64}}, "
      "expect: {equal: 4}}\n");
  study.write([&](const Trial& trial, RunContent& content, RunMetadata& metadata) {
    double n = 0;
    for (const ConfigLeaf& leaf : trial.config)
      if (leaf.key == "op_cost.n") n = static_cast<double>(std::get<Index>(leaf.value));
    content.final.push_back({"count", "scores", n * n, "1", "minimize", "exact"});
    const double noise = 1 + 0.01 * std::sin(n + 3 * static_cast<double>(trial.repeat.value()));
    metadata.measured.push_back({"time/total", n * n * 1e-9 * noise, "s"});
  });
  const Judgement j = study.judged("c");
  EXPECT_EQ(j.n, 4);
  EXPECT_NEAR(j.estimate.value(), 2, 0.02);
  EXPECT_EQ(j.verdict, Verdict::supported);
  EXPECT_EQ(study.judged("e").verdict, Verdict::supported);
}

// Every seed has the same four examples in two groups; the difference is 1 for one group and 0 for
// the other, whatever the seed: z = ±½ about ½, VG = ¼, VS = 0.
TEST(Verdict, ADifferenceOnTheSameExamplesIsCrossed) {
  WrittenStudy study = two_rows(
      "  - {id: c, estimand: {difference: test/accuracy, of: {optim.lr: 0.1}, minus: {optim.lr: "
      "0.2}}, expect: {above: 0.1}}\n");
  study.write(
      [&](const Trial& trial, RunContent& content, RunMetadata&) {
        Predictions& p = content.predictions["test"];
        p.example = {0, 1, 2, 3};
        p.group = {0, 0, 1, 1};
        p.target = {1, 1, 1, 1};
        p.n_outputs = 2;
        const float wrong = lr_of(trial) == 0.1 ? 1 : -1;
        p.output = {0, 1, 0, 1, 0, wrong, 0, wrong};
        content.final.push_back(
            {"test", "accuracy", wrong > 0 ? 1.0 : 0.5, "1", "maximize", "last"});
      },
      [](const Trial&) { return std::string(64, 'd'); });
  const Judgement j = study.judged("c");
  EXPECT_DOUBLE_EQ(j.estimate.value(), 0.5);
  EXPECT_DOUBLE_EQ(j.group_share.value(), 1);
  EXPECT_NEAR(j.interval->high - 0.5, 12.706204736 * 0.5, 1e-8);
  EXPECT_EQ(j.over, "seeds and groups");
  EXPECT_THAT(j.reason, HasSubstr("test groups, not seeds"));
}

}  // namespace
}  // namespace attune
