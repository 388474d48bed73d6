// Ablations: rows that differ from the reference in what their level says, and in nothing else.
#include "study/ablation.h"

#include <gmock/gmock.h>

#include <fstream>

#include "tests/study/study_fixture.h"

namespace attune {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::string kFactors =
    "factors:\n"
    "  norm: {post: {model.norm: post}, none: {model.norm: none}}\n"
    "  optim: {sgd: {optim.lr: 0.5, optim.kind: sgd}}\n";

class AblationTest : public StudyTest {
 protected:
  static std::string ablation(const std::string& base, const std::string& more) {
    return "schema: attune/ablation@1\nname: a\nseeds: [3, 5]\nbase: " + base + "\n" + more;
  }
  // A base of phantoms, as a map.
  static std::string small() {
    return "\n  kind: train\n  data: {kind: phantoms, n_train: 8, n_val: 4, n_test: 4}\n"
           "  model: {kind: vit, patch: 8, d_model: 16, n_heads: 2, n_layers: 1}\n"
           "  train: {steps: 4, eval_every: 2}\n  schedule: {kind: cosine, warmup: 1}\n"
           "  doc: not taken\n  seeds: [9]\n  baselines: [size_only]\n";
  }
  static std::vector<std::string> names(const Study& study) {
    std::vector<std::string> all;
    for (const Row& row : study.rows) all.push_back(row.name);
    return all;
  }
  // Keys whose values are not the reference's.
  static std::vector<std::string> differences(const Study& study, const std::string& row) {
    return changed_keys(study.reference().config(), study.find(row)->config());
  }
};

TEST_F(AblationTest, LeavingOneOutHasARowForEachLevel) {
  const Study study = load(ablation(small(), kFactors));
  EXPECT_THAT(names(study), ElementsAre("reference", "norm.post", "norm.none", "optim.sgd"));
  EXPECT_EQ(study.name(), "a");
  EXPECT_EQ(study.reference().options->doc, "");
  EXPECT_THAT(differences(study, "norm.post"), ElementsAre("model.norm: pre then, post now"));
  EXPECT_THAT(differences(study, "norm.none"), ElementsAre("model.norm: pre then, none now"));
  // A kind brings its own keys, wherever it stands in the level.
  const BoundLeaf* lr = study.find("optim.sgd")->binding.find("optim.lr");
  ASSERT_NE(lr, nullptr);
  EXPECT_EQ(std::get<double>(lr->leaf.value), 0.5);
  EXPECT_EQ(std::get<std::string>(study.find("optim.sgd")->binding.find("optim.kind")->leaf.value),
            "sgd");
}

TEST_F(AblationTest, AFactorialDesignHasARowForEachCombination) {
  const Study study = load(ablation(small(), "design: factorial\n" + kFactors));
  EXPECT_THAT(names(study), ElementsAre("reference", "norm.post,optim.sgd", "norm.none,optim.sgd"));
}

TEST_F(AblationTest, ItsTrialsArePairedBySeed) {
  const std::vector<Trial> trials = plan_trials(load(ablation(small(), kFactors)));
  ASSERT_EQ(trials.size(), 8U);
  for (std::size_t i = 0; i < trials.size(); ++i) {
    EXPECT_EQ(trials[i].seed, i % 2 == 0 ? 3 : 5);
    EXPECT_EQ(trials[i].data_sha256, trials[i % 2].data_sha256);
  }
}

TEST_F(AblationTest, ARowIsTheTrialThatItsConfigWouldBeAlone) {
  const Study study = load(ablation(small(), kFactors));
  const Study alone = load(
      "schema: attune/experiment@1\nname: b\nkind: train\nseeds: [3]\n"
      "data: {kind: phantoms, n_train: 8, n_val: 4, n_test: 4}\n"
      "model: {kind: vit, patch: 8, d_model: 16, n_heads: 2, n_layers: 1, norm: post}\n"
      "train: {steps: 4, eval_every: 2}\nschedule: {kind: cosine, warmup: 1}\n");
  EXPECT_EQ(plan_trials(study)[2].identity(), plan_trials(alone)[0].identity());
}

TEST_F(AblationTest, ItsFrozenTextReadsBackToTheSameRows) {
  for (const char* design : {"leave_one_out", "factorial"}) {
    const Study study = load(ablation(small(), fmt::format("design: {}\n", design) + kFactors),
                             {"model.d_model=32"});
    const Study again = load(study.yaml());
    ASSERT_EQ(names(again), names(study));
    for (std::size_t i = 0; i < study.rows.size(); ++i)
      EXPECT_TRUE(changed_keys(study.rows[i].config(), again.rows[i].config()).empty());
    EXPECT_EQ(again.yaml(), study.yaml());
  }
}

TEST_F(AblationTest, TheBaseMayBeAFile) {
  std::ofstream(folder / "base.yaml") << experiment("{scheme: holdout}");
  const Study study = load(ablation(folder / "base.yaml", kFactors));
  EXPECT_EQ(study.rows.size(), 4U);
  EXPECT_EQ(study.name(), "a");
}

TEST_F(AblationTest, OverridesGoToTheBaseAndTheStudysOwnToTheStudy) {
  const Study study = load(ablation(small(), kFactors),
                           {"train.steps=7", "study.design=factorial", "seeds=[1]", "name=c"});
  EXPECT_EQ(study.name(), "c");
  EXPECT_THAT(study.reference().options->seeds(), ElementsAre(1));
  EXPECT_EQ(study.rows.size(), 3U);
  for (const Row& row : study.rows)
    EXPECT_EQ(std::get<Index>(row.binding.find("train.steps")->leaf.value), 7);
}

TEST_F(AblationTest, WhatIsWrongIsSaidAtItsPlaceAndAllAtOnce) {
  const std::string wrong = error_of(ablation(small(),
                                              "design: some\nclaim: []\nfactors:\n  norm: {}\n  "
                                              "optim: {sgd: {}}\n  seed: {x: {seeds: [1]}}\n"));
  for (const char* part :
       {"design=some is none of leave_one_out, add_one_in, factorial", "unknown key 'claim'",
        "the factor 'norm' has no levels", "the level 'optim.sgd' changes nothing",
        "seeds is the same for all rows", "5 errors, nothing was run."})
    EXPECT_THAT(wrong, HasSubstr(part));
  const std::string row = error_of(
      ablation(small(), "factors:\n  norm: {odd: {model.norm: odd}, far: {modle.norm: post}}\n"));
  EXPECT_THAT(row, HasSubstr("t.yaml:15:16: error: model.norm=odd"));
  EXPECT_THAT(row, HasSubstr("unknown key 'modle"));
  const std::string base = error_of(ablation("{kind: train}", kFactors));
  EXPECT_THAT(base, HasSubstr("data.kind must be set"));
  EXPECT_THAT(base, HasSubstr("2 errors"));  // once, not in every row
  EXPECT_THAT(error_of("schema: attune/ablation@1\n"), HasSubstr("factors must be set"));
}

// The command line may choose another kind of model, which has not what a level sets.
TEST_F(AblationTest, ALevelThatWouldChangeNothingIsRefused) {
  const std::string factors = "factors:\n  attention: {none: {model.attention.dropout: 0.1}}\n";
  EXPECT_NO_THROW(load(ablation(small(), factors)));
  std::string why;
  try {
    load(ablation(small(), factors), {"model.kind=linear"});
  } catch (const ConfigError& error) {
    why = error.what();
  }
  EXPECT_THAT(why, HasSubstr("t.yaml:15:22: error: the level 'attention.none' sets "
                             "model.attention.dropout, which this study's kinds"));
}

TEST_F(AblationTest, FactorsOfACombinationSetKeysOfTheirOwn) {
  const std::string factors =
      "factors:\n  norm: {post: {model.norm: post}}\n  other: {none: {model.norm: none}}\n";
  EXPECT_NO_THROW(load(ablation(small(), "design: leave_one_out\n" + factors)));
  EXPECT_THAT(error_of(ablation(small(), "design: factorial\n" + factors)),
              HasSubstr("the levels 'norm.post' and 'other.none' both set model.norm"));
}

}  // namespace
}  // namespace attune
