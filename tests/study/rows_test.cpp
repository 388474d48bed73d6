// Rows of a study, its trials and their identities.
#include <gmock/gmock.h>

#include <set>

#include "tests/study/study_fixture.h"

namespace attune {
namespace {

using testing::ElementsAre;

const std::string kFolds = "{by: group, scheme: kfold, count: 3}";
const std::string kBaselines = "seeds: [0, 4]\nbaselines: [size_only, nearest_neighbours]\n";

std::vector<std::string> names(const Study& study) {
  std::vector<std::string> all;
  for (const Row& row : study.rows) all.push_back(row.name + ":" + row.kind().name);
  return all;
}

TEST_F(StudyTest, BaselinesAreRowsBehindTheReference) {
  EXPECT_THAT(names(load(experiment(kFolds))), ElementsAre("reference:train"));
  EXPECT_THAT(names(load(experiment(kFolds, kBaselines))),
              ElementsAre("reference:train", "size_only:baseline", "nearest_neighbours:baseline"));
}

TEST_F(StudyTest, ItsTrialsAreRowsTimesSeedsTimesFolds) {
  const std::vector<Trial> trials = plan_trials(load(experiment(kFolds, kBaselines)));
  ASSERT_EQ(trials.size(), 3U * 2 * 3);
  std::set<std::string> identities;
  for (std::size_t i = 0; i < trials.size(); ++i) {
    const Trial& t = trials[i];
    EXPECT_EQ(t.row, (std::array{"reference", "size_only", "nearest_neighbours"}[i / 6]));
    EXPECT_EQ(t.seed, (i / 3) % 2 == 0 ? 0 : 4);
    EXPECT_EQ(t.fold, static_cast<Index>(i % 3));
    EXPECT_TRUE(t.stem().starts_with(fmt::format("{}-s{}-f{}-", t.row, t.seed, *t.fold)));
    identities.insert(t.identity());
  }
  EXPECT_EQ(identities.size(), trials.size());
}

TEST_F(StudyTest, WithoutFoldsATrialHasNone) {
  const std::vector<Trial> trials = plan_trials(load(experiment("{scheme: holdout}")));
  ASSERT_EQ(trials.size(), 3U);
  EXPECT_FALSE(trials[0].fold);
}

TEST_F(StudyTest, WhichFoldsAreTrialsEntersNoIdentity) {
  const std::vector<Trial> all = plan_trials(load(experiment(kFolds, kBaselines)));
  const std::vector<Trial> one =
      plan_trials(load(experiment(kFolds, kBaselines), {"data.split.test=[1]"}));
  ASSERT_EQ(one.size(), 6U);
  for (std::size_t i = 0; i < one.size(); ++i) {
    EXPECT_EQ(one[i].fold, 1);
    EXPECT_EQ(one[i].identity(), all[3 * i + 1].identity());
    EXPECT_EQ(one[i].config_yaml, all[3 * i + 1].config_yaml);
  }
}

// By holdout the same key decides what is tested.
TEST_F(StudyTest, AHoldOutsShareEntersItsIdentity) {
  const auto identity = [&](const std::string& split) {
    return plan_trials(load(experiment(split)))[0].identity();
  };
  EXPECT_EQ(identity("{scheme: holdout, test: 0.2}"), identity("{scheme: holdout}"));
  EXPECT_NE(identity("{scheme: holdout, test: 0.3}"), identity("{scheme: holdout}"));
  EXPECT_NE(identity("{scheme: kfold, count: 5}"), identity("{scheme: kfold, count: 4}"));
  EXPECT_EQ(identity("{scheme: kfold, count: 5}"), identity("{scheme: kfold}"));
}

TEST_F(StudyTest, ABaselinesIdentityMovesWithItsDataAlone) {
  const auto identities = [&](std::vector<std::string> overrides) {
    std::vector<std::string> all;
    for (const Trial& t : plan_trials(load(experiment(kFolds, kBaselines), std::move(overrides))))
      all.push_back(t.identity());
    return all;
  };
  const auto before = identities({});
  for (const char* other : {"model.d_model=32", "model.patch=16", "data.resize.max_tokens=9",
                            "data.augment.flip=true", "train.steps=5", "metrics=[test/loss]"}) {
    const auto now = identities({other});
    for (std::size_t i = 6; i < now.size(); ++i) EXPECT_EQ(now[i], before[i]) << other;
    EXPECT_EQ(now[0] == before[0], other == std::string("metrics=[test/loss]")) << other;
  }
  const auto moved = identities({"data.split.seed=1"});
  for (std::size_t i = 0; i < moved.size(); ++i) EXPECT_NE(moved[i], before[i]);
}

TEST_F(StudyTest, ABaselinesRowIsTheExperimentThatAnyoneWouldWrite) {
  const Trial row = plan_trials(load(experiment(kFolds, kBaselines)))[6];
  const Study alone = load(
      "schema: attune/experiment@1\nname: alone\nkind: baseline\nseeds: [0]\n"
      "baseline: {name: size_only}\ndata:\n  kind: images\n  file: " +
      (folder / "small.h5") + "\n  split: " + kFolds + "\n");
  EXPECT_EQ(plan_trials(alone)[0].identity(), row.identity());
}

TEST_F(StudyTest, ARowsValuesComeFromWhereTheReferenceHasThem) {
  const Study study = load(experiment(kFolds, kBaselines), {"data.split.count=4"});
  const Row& row = *study.find("size_only");
  EXPECT_EQ(origin_text(*row.binding.find("data.split.count")),
            origin_text(*study.reference().binding.find("data.split.count")));
  EXPECT_EQ(row.binding.find("baseline.name")->at.text(),
            study.reference().binding.find("baselines")->at.text());
  EXPECT_TRUE(row.binding.find("baseline.k")->at.is_default());
}

TEST_F(StudyTest, ItsTextReadsBackToTheSameTrials) {
  for (const char* split : {"{scheme: kfold, count: 3, test: [2, 0]}", "{scheme: holdout}"}) {
    const Study study = load(experiment(split, kBaselines));
    const Study again = load(study.yaml());
    EXPECT_EQ(names(again), names(study));
    const auto trials = plan_trials(study), same = plan_trials(again);
    ASSERT_EQ(trials.size(), same.size());
    for (std::size_t i = 0; i < same.size(); ++i)
      EXPECT_EQ(trials[i].identity(), same[i].identity());
  }
}

TEST_F(StudyTest, PhantomsHaveBaselinesToo) {
  const Study study = load(
      "schema: attune/experiment@1\nname: p\nkind: train\ndata: {kind: phantoms, n_train: 8}\n"
      "model: {kind: vit, patch: 8}\nseeds: [3]\nbaselines: [pixels_logistic]\n");
  const std::vector<Trial> trials = plan_trials(study);
  ASSERT_EQ(trials.size(), 2U);
  EXPECT_EQ(trials[1].row, "pixels_logistic");
  EXPECT_EQ(trials[0].data_sha256, trials[1].data_sha256);
}

}  // namespace
}  // namespace attune
