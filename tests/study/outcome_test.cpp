// What the run files of a row come to: seeds are the replicates, folds are pooled.
#include "study/outcome.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "base/error.h"
#include "base/files.h"
#include "storage/run_file.h"
#include "tests/storage/sample.h"

namespace attune {
namespace {

using testing::DoubleEq;
using testing::ElementsAre;

const FoldPlan kTwoFolds = {2, {0, 1}};

// An example's id, its class, and the score of class 1.
struct Predicted {
  Index id, target;
  float score;
};

RowOutcome outcome_of_row(const std::string& row, const FoldPlan& folds,
                          const std::vector<TrialFile>& trials,
                          const std::vector<std::string>& metrics) {
  return attune::outcome_of_row(RowRuns(row, folds, trials), metrics);
}

class OutcomeTest : public testing::Test {
 protected:
  TrialFile write(Index seed, std::optional<Index> fold, const std::vector<Predicted>& test,
                  double val_loss = 0.5, const std::string& status = "finished", char data = 'd') {
    Trial trial = sample_trial();
    trial.data_sha256 = std::string(64, data);
    trial.seed = seed;
    trial.fold = fold;
    RunContent content;
    content.status = status;
    Predictions& p = content.predictions["test"];
    Scored scored{2, {}, {}};
    p.n_outputs = 2;
    for (const Predicted& e : test) {
      p.example.push_back(e.id);
      p.group.push_back(e.id / 2);
      p.target.push_back(e.target);
      p.output.insert(p.output.end(), {0, e.score});
    }
    scored.logits = p.output;
    scored.target = p.target;
    content.predictions["val"] = p;  // any will do
    for (const char* split : {"test", "val"})
      for (const char* name : {"accuracy", "auc"})
        if (const auto value = classification_metric(name, scored))
          content.final.push_back({split, name, *value, "1", "maximize", "last"});
    content.final.push_back({"val", "loss", val_loss, "nat", "minimize", "last"});
    edit_(content);
    const std::string path = folder_ / fmt::format("{}-{}.h5", seed, fold.value_or(-1));
    write_atomically(path, run_file_bytes(trial, content, "build"));
    return {.seed = seed, .fold = fold, .path = path};
  }
  TemporaryFolder folder_;
  std::function<void(RunContent&)> edit_ = [](RunContent&) {};  // of what is written next
};

// Three of three right in one fold, none of one in the other: the mean of folds would say ½.
TEST_F(OutcomeTest, AMetricOfASeedIsThatOfItsPooledPredictions) {
  const std::vector<TrialFile> trials = {write(0, 0, {{4, 1, 1}, {2, 0, -1}, {6, 1, 2}}, 0.4),
                                         write(0, 1, {{3, 1, -2}}, 0.8)};
  const RowOutcome outcome =
      outcome_of_row("reference", kTwoFolds, trials, {"test/accuracy", "val/loss"});
  ASSERT_EQ(outcome.metrics.size(), 2U);
  EXPECT_THAT(outcome.metrics[0].values, ElementsAre(0.75));
  EXPECT_THAT(outcome.metrics[0].by_fold[0], ElementsAre(1, 0));
  EXPECT_THAT(outcome.metrics[1].values, ElementsAre(DoubleEq(0.6)));
  const RowRuns runs("reference", kTwoFolds, trials);
  const PooledPredictions& pooled = runs.pooled("test")->front();
  EXPECT_THAT(pooled.example, ElementsAre(2, 3, 4, 6));
  EXPECT_THAT(pooled.group, ElementsAre(1, 1, 2, 3));
  EXPECT_THAT(pooled.scored.target, ElementsAre(0, 1, 1, 1));
  EXPECT_THAT(pooled.scored.logits, ElementsAre(0, -1, 0, -2, 0, 1, 0, 2));
}

// Pairs across folds count: 1 of class 1 against −3 and 2 of class 0, 5 against the same.
TEST_F(OutcomeTest, AucIsOverPairsOfAllFolds) {
  const std::vector<TrialFile> trials = {write(0, 0, {{0, 1, 1}, {1, 0, -3}}),
                                         write(0, 1, {{2, 0, 2}, {3, 1, 5}})};
  EXPECT_THAT(outcome_of_row("r", kTwoFolds, trials, {"test/auc"}).metrics[0].values,
              ElementsAre(0.75));
}

TEST_F(OutcomeTest, SeedsAreTheReplicatesWhateverTheFolds) {
  std::vector<TrialFile> trials;
  for (const Index seed : {7, 3})
    for (const Index fold : {0, 1}) {
      const float right = seed == 7 || fold == 0 ? 1 : -1;
      trials.push_back(write(seed, fold, {{2 * fold, 1, right}, {2 * fold + 1, 0, -1}}));
    }
  const RowOutcome outcome = outcome_of_row("r", kTwoFolds, trials, {"test/accuracy"});
  EXPECT_THAT(outcome.seeds, ElementsAre(7, 3));
  EXPECT_THAT(outcome.metrics[0].values, ElementsAre(1, 0.75));
  EXPECT_EQ(outcome.metrics[0].estimate.n_seeds, 2);
}

// One group all right and one half right, the same for both seeds: z = ±¼ about ¾, of two groups,
// hence VG = 1/16, VS = VE = 0 and df = 1.
TEST_F(OutcomeTest, TheIntervalOfPooledPredictionsIsOverGroupsAsWell) {
  std::vector<TrialFile> trials;
  for (const Index seed : {0, 1}) {
    trials.push_back(write(seed, 0, {{0, 1, 1}, {1, 0, -1}}));
    trials.push_back(write(seed, 1, {{2, 1, 1}, {3, 0, 1}}, 0.5 + static_cast<double>(seed)));
  }
  const RowOutcome outcome = outcome_of_row("r", kTwoFolds, trials, {"test/accuracy", "val/loss"});
  const MetricEstimate accuracy = outcome.metrics[0].estimate;
  EXPECT_DOUBLE_EQ(accuracy.mean, 0.75);
  EXPECT_DOUBLE_EQ(accuracy.group_share.value(), 1);
  constexpr double t = 12.706204736;  // of .975 with one degree of freedom
  EXPECT_NEAR(accuracy.interval->high - accuracy.mean, t * 0.25, 1e-8);
  const MetricEstimate loss = outcome.metrics[1].estimate;
  EXPECT_FALSE(loss.group_share);
  EXPECT_NEAR(loss.interval->high - loss.mean, t * 0.25, 1e-8);
}

using Over = MetricEstimate::Over;

TEST_F(OutcomeTest, AMetricThatNoFoldHasIsThatOfItsPool) {
  const std::vector<TrialFile> trials = {write(0, 0, {{0, 1, 1}, {1, 1, -3}}),
                                         write(0, 1, {{2, 0, 2}, {3, 0, -5}})};
  const RowOutcome outcome =
      outcome_of_row("r", kTwoFolds, trials, {"test/auc", "test/accuracy", "val/auc"});
  ASSERT_EQ(outcome.metrics.size(), 2U);  // val/auc is of single folds
  EXPECT_THAT(outcome.metrics[0].values, ElementsAre(0.5));
  EXPECT_THAT(outcome.metrics[0].by_fold[0], ElementsAre(std::nullopt, std::nullopt));
}

// The variance between groups is undefined where there is one.
TEST_F(OutcomeTest, OneTestGroupSaysNothingOfOthers) {
  const auto estimate = [&](const std::vector<TrialFile>& trials) {
    return outcome_of_row("r", {}, trials, {"test/accuracy"}).metrics[0].estimate;
  };
  const MetricEstimate two = estimate({write(0, std::nullopt, {{0, 1, 1}, {1, 0, -1}}),
                                       write(1, std::nullopt, {{0, 1, 1}, {1, 0, 1}})});
  EXPECT_EQ(two.over, Over::these_examples);
  EXPECT_FALSE(two.group_share);
  EXPECT_NEAR(two.interval->high - two.mean, 12.706204736 * 0.25, 1e-8);  // Student's, over seeds
}

// Without group 0 there is no class 1, and no AUC: its groups cannot be left out one by one.
TEST_F(OutcomeTest, AClassInOneTestGroupSaysNothingOfOthers) {
  const std::vector<Predicted> test = {{0, 1, 1}, {2, 0, -1}, {3, 0, 2}, {4, 0, -1}};
  const std::vector<std::string> metrics = {"test/accuracy", "test/auc"};
  const RowOutcome two = outcome_of_row(
      "r", {}, {write(0, std::nullopt, test), write(1, std::nullopt, test)}, metrics);
  EXPECT_EQ(two.metrics[0].estimate.over, Over::seeds_and_groups);
  EXPECT_EQ(two.metrics[1].estimate.over, Over::these_examples);
  EXPECT_FALSE(two.metrics[1].estimate.group_share);
  const RowOutcome one =
      outcome_of_row("r", {2, {0}}, {write(0, 0, test)}, {"test/accuracy", "test/auc", "val/auc"});
  EXPECT_EQ(one.metrics[0].estimate.over, Over::groups);
  EXPECT_FALSE(one.metrics[0].estimate.group_share);  // of the seeds' nothing is known
  EXPECT_EQ(one.metrics[1].estimate.over, Over::one_group);
  EXPECT_FALSE(one.metrics[1].estimate.interval);
  EXPECT_EQ(one.metrics[2].estimate.over, Over::one_seed);
}

// Validation examples without folds are the same for all seeds, as test examples are; with folds
// they come in several, and values are means.
TEST_F(OutcomeTest, ValidationIsCrossedWithoutFoldsToo) {
  const std::vector<Predicted> test = {{0, 1, 1}, {1, 0, -1}, {2, 1, 1}, {3, 0, 1}};
  const RowOutcome outcome = outcome_of_row(
      "r", {}, {write(0, std::nullopt, test), write(1, std::nullopt, test)}, {"val/accuracy"});
  const MetricEstimate crossed = outcome.metrics[0].estimate;
  EXPECT_EQ(crossed.over, Over::seeds_and_groups);
  EXPECT_NEAR(crossed.interval->high - crossed.mean, 12.706204736 * 0.25, 1e-8);
  const RowOutcome folds =
      outcome_of_row("r", {2, {0}}, {write(0, 0, test), write(1, 0, test)}, {"val/accuracy"});
  EXPECT_EQ(folds.metrics[0].estimate.over, Over::seeds);
  EXPECT_DOUBLE_EQ(folds.metrics[0].estimate.interval->high, 0.75);
}

// The same four examples without folds: what the seed does not redraw is a sample of groups.
TEST_F(OutcomeTest, SeedsTestedOnTheSameDataKnowOfItsGroupsWithoutFoldsToo) {
  const std::vector<Predicted> test = {{0, 1, 1}, {1, 0, -1}, {2, 1, 1}, {3, 0, 1}};
  const auto estimate = [&](char second) {
    return outcome_of_row("r", {},
                          {write(0, std::nullopt, test),
                           write(1, std::nullopt, test, 0.5, "finished", second)},
                          {"test/accuracy"})
        .metrics[0]
        .estimate;
  };
  const MetricEstimate fixed = estimate('d'), redrawn = estimate('e');
  EXPECT_DOUBLE_EQ(fixed.group_share.value(), 1);
  EXPECT_NEAR(fixed.interval->high - fixed.mean, 12.706204736 * 0.25, 1e-8);
  EXPECT_FALSE(redrawn.group_share);
  EXPECT_EQ(redrawn.interval->high, 0.75);
}

// Nothing is known of groups then.
TEST_F(OutcomeTest, RunsThatKeepNoPredictionsHaveAnIntervalOverSeeds) {
  edit_ = [](RunContent& content) { content.predictions.clear(); };
  const RowOutcome outcome = outcome_of_row(
      "r", {},
      {write(0, std::nullopt, {{0, 1, 1}}, 0.25), write(1, std::nullopt, {{0, 1, 1}}, 0.75)},
      {"val/loss"});
  EXPECT_EQ(outcome.metrics[0].estimate.over, Over::seeds);
  EXPECT_DOUBLE_EQ(outcome.metrics[0].estimate.mean, 0.5);
  EXPECT_NEAR(outcome.metrics[0].estimate.interval->high, 0.5 + 12.706204736 * 0.25, 1e-8);
}

// Rows 2 and 0 of example 4, then row 1 of example 3.
TEST_F(OutcomeTest, TargetsOfRowsArePooledByExampleAndPosition) {
  edit_ = [](RunContent& content) { content.predictions.at("test").position = {2, 0, 1}; };
  const std::vector<Predicted> test = {{4, 1, 1}, {4, 0, -1}, {3, 1, 2}};
  const RowRuns runs("r", {}, {write(0, std::nullopt, test), write(1, std::nullopt, test)});
  const PooledPredictions& pooled = runs.pooled("test")->front();
  EXPECT_THAT(pooled.example, ElementsAre(3, 4, 4));
  EXPECT_THAT(pooled.scored.logits, ElementsAre(0, 2, 0, -1, 0, 1));
  edit_ = [](RunContent& content) { content.predictions.at("test").position = {2, 2, 1}; };
  const std::vector<TrialFile> twice = {write(0, std::nullopt, test), write(1, std::nullopt, test)};
  EXPECT_THROW(outcome_of_row("r", {}, twice, {"test/accuracy"}), DamagedError);
}

TEST_F(OutcomeTest, APooledLossIsTheRunsOwn) {
  edit_ = [](RunContent& content) {
    content.predictions.at("val").loss = "mse";
    content.predictions.at("val").output.assign(4, 0.5);  // all are wrong by 0.5
  };
  const std::vector<Predicted> two_groups = {{0, 1, 1}, {2, 0, 1}};
  const RowOutcome outcome = outcome_of_row(
      "r", {}, {write(0, std::nullopt, two_groups), write(1, std::nullopt, two_groups)},
      {"val/loss"});
  EXPECT_DOUBLE_EQ(outcome.metrics[0].estimate.mean, 0.25);
}

TEST_F(OutcomeTest, WithoutFoldsAValueIsTheFinalOne) {
  const RowOutcome outcome = outcome_of_row("r", {}, {write(0, std::nullopt, {{0, 1, 1}}, 0.25)},
                                            {"val/loss", "test/accuracy"});
  EXPECT_THAT(outcome.metrics[0].values, ElementsAre(0.25));
  EXPECT_THAT(outcome.metrics[1].values, ElementsAre(1));
}

TEST_F(OutcomeTest, NothingIsComputedWhileATrialIsMissing) {
  const std::vector<TrialFile> trials = {write(0, 0, {{0, 1, 1}}),
                                         {0, 1, std::nullopt},
                                         write(1, 0, {{0, 1, 1}}),
                                         write(1, 1, {{1, 1, 1}})};
  const RowOutcome outcome = outcome_of_row("r", kTwoFolds, trials, {"test/accuracy"});
  EXPECT_EQ(outcome.n_missing, 1);
  EXPECT_EQ(outcome.n_trials, 4);
  EXPECT_TRUE(outcome.metrics.empty());
}

TEST_F(OutcomeTest, ASeedOfWhichAFoldDivergedHasNoValue) {
  const std::vector<TrialFile> trials = {write(0, 0, {{0, 1, 1}}),
                                         write(0, 1, {{1, 1, 1}}, 0.5, "diverged"),
                                         write(1, 0, {{0, 1, 1}}), write(1, 1, {{1, 1, -1}})};
  const RowOutcome outcome = outcome_of_row("r", kTwoFolds, trials, {"test/accuracy"});
  EXPECT_EQ(outcome.n_diverged, 1);
  EXPECT_THAT(outcome.seeds, ElementsAre(1));
  EXPECT_THAT(outcome.metrics[0].values, ElementsAre(0.5));
}

TEST_F(OutcomeTest, AnExampleTestedTwiceIsDamage) {
  const std::vector<TrialFile> trials = {write(0, 0, {{4, 1, 1}}), write(0, 1, {{4, 1, 1}})};
  EXPECT_THROW(outcome_of_row("r", kTwoFolds, trials, {"test/accuracy"}), DamagedError);
}

TEST(PartialFolds, AreLabelled) {
  EXPECT_EQ(partial_folds_text({5, {0}}), "fold 0 of 5 only");
  EXPECT_EQ(partial_folds_text({5, {0, 3}}), "folds 0, 3 of 5 only");
  EXPECT_EQ(partial_folds_text(kTwoFolds), "");
  EXPECT_EQ(partial_folds_text({}), "");
}

}  // namespace
}  // namespace attune
