// Claims as they stand in a file: what they are resolved to, and what is refused.
#include "study/claim.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "study/decidable.h"
#include "study/registration.h"
#include "tests/study/written_study.h"

namespace attune {
namespace {

using testing::HasSubstr;

std::string error_of(const std::string& text) {
  try {
    WrittenStudy::load(text);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

std::string claim_error(const std::string& claim) {
  return error_of(sweep_text("[0.1, 0.2, 0.4]", "n=3", "  - " + claim + "\n"));
}

TEST(Claims, WhatIsWrongIsToldWithItsPlace) {
  const std::pair<const char*, const char*> cases[] = {
      {"{id: c}", "has no estimand"},
      {"{id: c, estimand: {mean: test/auc, of: {optim.lr: 0.1}}}", "expects nothing"},
      {"{estimand: {mean: test/auc, of: {optim.lr: 0.1}}, expect: {above: 1}}", "must have an id"},
      {"{id: c, estimnd: {mean: test/auc}, expect: {above: 1}}", "did you mean 'estimand'"},
      {"{id: c, estimand: {maen: test/auc}, expect: {above: 1}}", "is no estimand"},
      {"{id: c, estimand: {mean: test/auk, of: {optim.lr: 0.1}}, expect: {above: 1}}",
       "did you mean 'test/auc'"},
      {"{id: c, estimand: {mean: test/auc@tomorrow, of: {optim.lr: 0.1}}, expect: {above: 1}}",
       "@tomorrow"},
      {"{id: c, estimand: {mean: test/auc}, expect: {above: 1}}", "selects 3 rows: lr=0.1, lr=0.2"},
      {"{id: c, estimand: {mean: test/auc, of: reference}, expect: {above: 1}}",
       "a sweep has no reference row"},
      {"{id: c, estimand: {mean: test/auc, of: {optim.lr: 0.3}}, expect: {above: 1}}",
       "no row has optim.lr=0.3"},
      {"{id: c, estimand: {mean: test/auc, of: {optim.lrr: 0.1}}, expect: {above: 1}}",
       "did you mean 'optim.lr'"},
      {"{id: c, estimand: {difference: test/auc, of: {optim.lr: 0.1}}, expect: {above: 1}}",
       "needs of: and minus:"},
      {"{id: c, estimand: {difference: test/auc, of: {optim.lr: 0.1}, minus: {optim.lr: 0.1}}, "
       "expect: {above: 1}}",
       "select the same row"},
      {"{id: c, estimand: {slope: test/auc}, expect: {above: 1}}", "needs against"},
      {"{id: c, estimand: {slope: test/auc, against: optim.lr, where: {optim.lr: 0.1}}, expect: "
       "{above: 1}}",
       "two values"},
      {"{id: c, estimand: {slope: test/auc, against: model.norm}, expect: {above: 1}}",
       "is no number"},
      {"{id: c, estimand: {fraction: test/auc, of: {optim.lr: 0.1}}, expect: {above: 0.5}}",
       "above or below"},
      {"{id: c, estimand: {mean: test/auc, of: {optim.lr: 0.1}}, expect: {above: 0}}",
       "sign_only: true"},
      {"{id: c, estimand: {mean: test/auc, of: {optim.lr: 0.1}}, expect: {between: [2, 1]}}",
       "the lower one first"},
      {"{id: c, estimand: {mean: test/auc, of: {optim.lr: 0.1}}, expect: {above: 1, below: 2}}",
       "one of above"},
      {"{id: c, estimand: {mean: test/auc, of: {optim.lr: 0.1}}, expect: {above: x}}", "no number"},
      {"{id: c, known: perhaps, estimand: {mean: test/auc, of: {optim.lr: 0.1}}, expect: {above: "
       "1}}",
       "is no verdict"},
      {"{id: c, estimand: {mean: 'probes/gradient_norms[layer=last]/norm', of: {optim.lr: 0.1}}, "
       "expect: {above: 1}}",
       "probe"},
      {"{id: c, if_failed: never, estimand: {mean: test/auc, of: {optim.lr: 0.1}}, expect: {above: "
       "1}}",
       "if_failed"},
      {"{id: c, over: [seeds, groups, training_sets], estimand: {mean: test/auc, of: {optim.lr: "
       "0.1}}, expect: {above: 1}}",
       "needs data with folds"},
      {"{id: c, estimand: {mean: test/auc, of: {optim.lr: 0.1}}, expect: {formula: "
       "uniform_entropi, "
       "tolerance: 0.1}}",
       "did you mean uniform_entropy"},
  };
  for (const auto& [claim, message] : cases) {
    const std::string error = claim_error(claim);
    EXPECT_THAT(error, HasSubstr(message)) << claim;
    EXPECT_THAT(error, HasSubstr("t.yaml:8:")) << claim;
  }
}

TEST(Claims, AllErrorsComeAtOnce) {
  const std::string error = claim_error("{id: c}\n  - {id: c, estimand: {mean: test/x}}");
  EXPECT_THAT(error, HasSubstr("t.yaml:8:"));
  EXPECT_THAT(error, HasSubstr("t.yaml:9:"));
  EXPECT_THAT(error, HasSubstr("two claims have the id c"));
}

TEST(Claims, TheMeanOfWhatIsSolvedOrNotIsRefused) {
  const auto study = [](const std::string& estimand) {
    return error_of(
        "schema: attune/experiment@1\nname: t\nkind: train\ndata: {kind: retrieval}\nmodel: {kind: "
        "encoder, d_model: 16, n_heads: 2, n_layers: 1}\nclaims:\n  - {id: c, estimand: " +
        estimand + ", expect: {above: 0.5}}\n");
  };
  EXPECT_THAT(study("{mean: test/accuracy}"), HasSubstr("{fraction: test/accuracy, above: 0.95}"));
  EXPECT_EQ(study("{fraction: test/accuracy, above: 0.95}"), "no error");
  EXPECT_EQ(study("{mean: test/loss}"), "no error");
}

TEST(Claims, AFractionThatTheSeedsCannotShowIsNoted) {
  const Study study = WrittenStudy::load(sweep_text(
      "[0.1]", "n=5",
      "  - {id: c, estimand: {fraction: test/accuracy, above: 0.5}, expect: {above: 0.8}}\n"));
  ASSERT_EQ(study.notes.size(), 1U);
  EXPECT_THAT(study.notes[0].message, HasSubstr("5 of 5 gives at least 0.478"));
  EXPECT_THAT(study.notes[0].message, HasSubstr("17 of 17 would"));
}

TEST(Claims, AFileWithClaimsHasTenSeedsUnlessItSaysOthers) {
  const std::string claim = "  - {id: c, estimand: {mean: test/auc}, expect: {above: 0.5}}\n";
  std::string text = sweep_text("[0.1]", "n=4", claim);
  EXPECT_EQ(plan_places(WrittenStudy::load(text)).size(), 4U);
  text.erase(text.find("seeds: n=4\n"), std::string("seeds: n=4\n").size());
  EXPECT_EQ(plan_places(WrittenStudy::load(text)).size(), 10U);
}

TEST(Claims, AFactorOrARowIsSelectedByName) {
  const std::string text =
      "schema: attune/ablation@1\nname: t\nbase: {kind: train, data: {kind: phantoms}, model: "
      "{kind: vit, patch: 8, d_model: 16, n_heads: 2, n_layers: 1}}\nfactors: {norm: {post: "
      "{model.norm: post}, none: {model.norm: none}}}\nclaims:\n"
      "  - {id: a, estimand: {difference: test/auc, of: reference, minus: {norm: post}}, expect: "
      "{above: 0.1}}\n"
      "  - {id: b, estimand: {mean: test/auc, of: {row: norm.none}}, expect: {above: 0.1}}\n";
  WrittenStudy study(text);
  EXPECT_EQ(study.claims[0].estimand.cells[0].of.rows[0]->name, "reference");
  EXPECT_EQ(study.claims[0].estimand.cells[0].against.rows[0]->name, "norm.post");
  EXPECT_EQ(study.claims[1].estimand.cells[0].of.rows[0]->name, "norm.none");
}

// The frozen text reads back to the same claims.
TEST(Claims, FreezingKeepsThem) {
  const std::string text =
      sweep_text("[0.1, 0.2]", "n=3",
                 "  - id: c\n    says: 'one: two, # three'\n    estimand: {difference: test/auc, "
                 "of: {optim.lr: "
                 "0.1}, minus: {optim.lr: 0.2}}\n    expect: {between: [-0.1, 0.1]}\n");
  const WrittenStudy study(text), again(study.study.yaml());
  EXPECT_EQ(again.claims[0].hash, study.claims[0].hash);
  EXPECT_EQ(again.claims[0].says, "one: two, # three");
  EXPECT_EQ(again.study.yaml(), study.study.yaml());
}

std::string claim_above(const std::string& id, const std::string& x) {
  return "  - {id: " + id + ", estimand: {mean: test/auc}, expect: {above: " + x + "}}\n";
}

// Registered before any data: m is 2. What is added later, or has another region then, is a family
// of its own, and the region before is told.
TEST(Claims, AreRegisteredBeforeData) {
  const WrittenStudy first(
      sweep_text("[0.1]", "n=3", claim_above("a", "0.1") + claim_above("b", "0.2"))),
      second(
          sweep_text("[0.1]", "n=3",
                     claim_above("a", "0.1") + claim_above("b", "0.15") + claim_above("c", "0.3")));
  StudyFolder folder(first.place / "study");
  folder.freeze(text_to_freeze(first.study.yaml(), folder, 0, 3));
  EXPECT_EQ(text_to_freeze(first.study.yaml(), folder, 2, 3), read_file(folder.frozen().back()));
  const Families then = families_of(first.claims, folder, 3, 3);
  EXPECT_EQ(then.size(0), 2);
  EXPECT_EQ(then.of[0].words(), "registered before 0 of 3");
  folder.freeze(text_to_freeze(second.study.yaml(), folder, 2, 3));
  const Families now = families_of(second.claims, folder, 3, 3);
  EXPECT_TRUE(now.of[0].before_data());
  EXPECT_EQ(now.size(0), 2);
  EXPECT_EQ(now.of[1].words(), "added after 2 of 3");
  EXPECT_EQ(now.of[1].earlier, "{above: 0.2}");
  EXPECT_EQ(now.of[2].words(), "added after 2 of 3");
  EXPECT_EQ(now.size(1), 2);
  // One that no study.yaml has was read from elsewhere.
  const WrittenStudy third(sweep_text("[0.1]", "n=3", claim_above("d", "0.3")));
  EXPECT_EQ(families_of(third.claims, folder, 3, 3).of[0].words(),
            "not registered: read after 3 of 3");
}

// t(.975, 9)/√10 = .7154; at m = 4 t(.99375, 9)/√10 = .9839 (SciPy).
TEST(Claims, WhatADesignCanDecideIsKnownBeforehand) {
  const auto words = [](const std::string& estimand, Index n, Index family) {
    const WrittenStudy study(sweep_text(
        "[0.1]", "n=3", "  - {id: c, estimand: " + estimand + ", expect: {above: 0.3}}\n"));
    return decidable_words(study.claims[0], n, family, 0.05);
  };
  EXPECT_THAT(words("{mean: test/auc}", 10, 1), HasSubstr("0.72 sd"));
  EXPECT_THAT(words("{mean: test/auc}", 10, 4), HasSubstr("0.98 sd"));
  EXPECT_THAT(words("{mean: test/auc}", 1, 1), HasSubstr("nothing"));
  EXPECT_THAT(words("{fraction: test/auc, above: 0.5}", 5, 1), HasSubstr("at least 0.478"));
  EXPECT_THAT(words("{median: test/auc}", 5, 1), HasSubstr("nothing"));
}

}  // namespace
}  // namespace attune
