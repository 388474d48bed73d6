// Sweeps: which configs are tried, in which order, under which names, and what is refused.
#include "study/sweep.h"

#include <gmock/gmock.h>

#include <cmath>
#include <set>

#include "tests/study/study_fixture.h"

namespace attune {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class SweepTest : public StudyTest {
 protected:
  static std::string sweep(const std::string& more) {
    return "schema: attune/sweep@1\nname: s\nseeds: [3, 5]\nbase:\n"
           "  kind: train\n  data: {kind: phantoms, n_train: 8, n_val: 4, n_test: 4}\n"
           "  model: {kind: vit, patch: 8, d_model: 16, n_heads: 2, n_layers: 1}\n"
           "  train: {steps: 4, eval_every: 2}\n  schedule: {kind: cosine, warmup: 1}\n" +
           more;
  }
  static std::vector<std::string> names(const Study& study) {
    std::vector<std::string> all;
    for (const Row& row : study.rows) all.push_back(row.name);
    return all;
  }
  static double real(const Row& row, const char* key) {
    return std::get<double>(row.binding.find(key)->leaf.value);
  }
};

TEST_F(SweepTest, AGridHasEveryCombinationAndItsLastParameterIsFastest) {
  const Study study =
      load(sweep("method: grid\nparameters:\n  optim.lr: {values: [1.0e-3, 3.0e-3]}\n"
                 "  model.n_layers: {values: [1, 2]}\n"));
  EXPECT_THAT(names(study), ElementsAre("lr=0.001,n_layers=1", "lr=0.001,n_layers=2",
                                        "lr=0.003,n_layers=1", "lr=0.003,n_layers=2"));
  EXPECT_THAT(study.varied, ElementsAre("optim.lr", "model.n_layers"));
  EXPECT_EQ(plan_trials(study).size(), 8U);
}

TEST_F(SweepTest, KeysThatShareTheirLastPartStandWhole) {
  const Study study =
      load(sweep("method: grid\nparameters:\n  model.dropout: {values: [0.1]}\n"
                 "  model.attention.dropout: {values: [0.2]}\n"));
  EXPECT_THAT(names(study), ElementsAre("model.dropout=0.1,model.attention.dropout=0.2"));
}

TEST_F(SweepTest, LevelsOfARangeReachBothEnds) {
  const Study study = load(sweep(
      "method: grid\nparameters:\n"
      "  optim.lr: {min: 1.0e-4, max: 1.0e-2, distribution: log_uniform_values, levels: 3}\n"));
  EXPECT_THAT(names(study), ElementsAre("lr=0.0001", "lr=0.001", "lr=0.01"));
}

TEST_F(SweepTest, WhenLeavesAParameterOutAndWhatIsThenEqualIsTriedOnce) {
  const Study study =
      load(sweep("method: grid\nparameters:\n"
                 "  model.attention.normaliser: {values: [softmax, sparsemax]}\n"
                 "  model.attention.temperature: {values: [0.5, 2.0], when: "
                 "{model.attention.normaliser: softmax}}\n"));
  EXPECT_THAT(names(study),
              ElementsAre("normaliser=softmax,temperature=0.5", "normaliser=softmax,temperature=2",
                          "normaliser=sparsemax"));
}

TEST_F(SweepTest, ZipTakesColumnsTogether) {
  const Study study =
      load(sweep("method: grid\nparameters: {model.n_layers: {values: [1, 2]}}\n"
                 "zip: [{train.batch_size: [2, 4], optim.lr: [0.1, 0.2]}]\n"));
  EXPECT_THAT(names(study),
              ElementsAre("n_layers=1,batch_size=2,lr=0.1", "n_layers=1,batch_size=4,lr=0.2",
                          "n_layers=2,batch_size=2,lr=0.1", "n_layers=2,batch_size=4,lr=0.2"));
}

TEST_F(SweepTest, EnqueuedPointsAreFirstAndCountInTheCap) {
  const Study study =
      load(sweep("method: grid\nrun_cap: 2\nenqueue: [{optim.lr: 0.02}]\n"
                 "parameters: {optim.lr: {values: [0.01, 0.02, 0.03]}}\n"));
  EXPECT_THAT(names(study), ElementsAre("lr=0.02", "lr=0.01"));
}

TEST_F(SweepTest, PointsThatTheConfigCheckRefusesAreSkippedAndCounted) {
  const Study study =
      load(sweep("method: grid\nparameters: {model.n_heads: {values: [2, 3, 4]}}\n"));
  EXPECT_THAT(names(study), ElementsAre("n_heads=2", "n_heads=4"));
  ASSERT_EQ(study.notes.size(), 1U);
  EXPECT_THAT(study.notes[0].message, HasSubstr("1 point is refused"));
  EXPECT_THAT(study.notes[0].message, HasSubstr("n_heads=3"));
}

TEST_F(SweepTest, SobolExtendedKeepsItsFirstPointsAndFillsTheInterval) {
  const auto at = [&](int cap, int seed) {
    return names(load(sweep(
        fmt::format("method: sobol\nrun_cap: {}\nsearch_seed: {}\nparameters:\n"
                    "  optim.lr: {{min: 1.0e-4, max: 1.0e-2, distribution: log_uniform_values}}\n"
                    "  model.dropout: {{min: 0, max: 0.5}}\n",
                    cap, seed))));
  };
  const std::vector<std::string> few = at(32, 1), many = at(64, 1);
  ASSERT_EQ(many.size(), 64U);
  EXPECT_TRUE(std::equal(few.begin(), few.end(), many.begin()));
  EXPECT_NE(few, at(32, 2));
  // A net in base 2: of the first 2^k points each of 2^k equal parts holds one.
  const Study study =
      load(sweep("method: sobol\nrun_cap: 16\nsearch_seed: 7\nparameters: {model.dropout: {min: 0, "
                 "max: 0.5}}\n"));
  std::set<int> parts;
  for (const Row& row : study.rows)
    parts.insert(static_cast<int>(std::floor(real(row, "model.dropout") / 0.5 * 16)));
  EXPECT_GE(parts.size(),
            15U);  // Sobol's own first point is 0 in some libraries and left out in others
}

TEST_F(SweepTest, RandomDrawsByNameSoThatAnotherParameterMovesNone) {
  const std::string lr =
      "  optim.lr: {min: 1.0e-4, max: 1.0e-2, distribution: log_uniform_values}\n";
  const Study one = load(sweep("method: random\nrun_cap: 8\nparameters:\n" + lr)),
              two = load(sweep("method: random\nrun_cap: 8\nparameters:\n"
                               "  model.n_layers: {values: [1, 2]}\n" +
                               lr));
  for (std::size_t i = 0; i < 8; ++i)
    EXPECT_EQ(real(one.rows[i], "optim.lr"), real(two.rows[i], "optim.lr"));
}

TEST_F(SweepTest, AllThatIsWrongIsToldAtOnce) {
  const auto complaint = [&](const std::string& more) {
    try {
      load(sweep(more));
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string("nothing");
  };
  EXPECT_THAT(complaint("method: grid\nparameters: {optim.lrr: {values: [1]}}\n"),
              HasSubstr("did you mean 'optim.lr'"));
  EXPECT_THAT(complaint("method: sobol\nparameters: {optim.lr: {values: [1]}}\n"),
              HasSubstr("run_cap must be set"));
  EXPECT_THAT(complaint("method: grid\nparameters: {optim.lr: {min: 1, max: 2}}\n"),
              HasSubstr("needs levels"));
  EXPECT_THAT(complaint("method: grid\nparameters: {optim.lr: {min: 0, max: 2, distribution: "
                        "log_uniform_values, levels: 2}}\n"),
              HasSubstr("min must be above 0"));
  EXPECT_THAT(complaint("method: grid\nzip: [{optim.lr: [1, 2], train.batch_size: [1]}]\n"),
              HasSubstr("optim.lr has 2 values, train.batch_size has 1"));
  const std::string both = complaint(
      "method: grid\nparameters: {optim.lr: {valeus: [1]}, model.dropout: {values: []}}\n");
  EXPECT_THAT(both, HasSubstr("did you mean 'values'"));
  EXPECT_THAT(both, HasSubstr("model.dropout.values must be a list"));
}

TEST_F(SweepTest, WhatIsFrozenReadsBackToTheSameTrials) {
  const Study study = load(
      sweep("method: sobol\nrun_cap: 4\nparameters: {model.dropout: {min: 0, max: 0.5}}\nenqueue: "
            "[{model.dropout: 0.25}]\n"));
  const Study again = load(study.yaml());
  EXPECT_EQ(again.yaml(), study.yaml());
  const std::vector<Trial> a = plan_trials(study), b = plan_trials(again);
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_EQ(a[i].stem(), b[i].stem());
}

TEST_F(SweepTest, RepeatsComeOneAfterTheOtherOverAllRows) {
  const std::string base =
      "schema: attune/sweep@1\nname: c\nbase: {kind: op_cost, op_cost: {op: attention}}\n"
      "method: grid\nparameters: {op_cost.n: {values: [16, 32]}}\n";
  const auto order = [&](const std::string& repeats) {
    std::string text;
    for (const Trial& trial : plan_trials(load(base + repeats)))
      text += fmt::format("{}s{}r{} ", trial.row, trial.seed, trial.repeat.value_or(-1));
    return text;
  };
  EXPECT_EQ(order("repeats: {count: 2, order: interleaved}\n"),
            "n=16s0r0 n=32s0r0 n=16s0r1 n=32s0r1 ");
  EXPECT_EQ(order("repeats: {count: 2, order: blocked}\n"), "n=16s0r0 n=16s0r1 n=32s0r0 n=32s0r1 ");
}

}  // namespace
}  // namespace attune
