// What is wrong with splits, baselines and metrics is said before anything runs.
#include <gmock/gmock.h>

#include "base/files.h"
#include "base/text.h"
#include "datasets/data_kinds.h"
#include "nn/model.h"
#include "storage/run_file.h"
#include "tests/study/study_fixture.h"

namespace attune {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST_F(StudyTest, WhatStandsUnderTestMustFitTheScheme) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{scheme: kfold, test: 0.2}",
       "error: data.split.test=0.2 is a share of the examples, and data.split.scheme=kfold "
       "tests whole folds"},
      {"{scheme: kfold, test: 2}",
       "error: data.split.test=2 is neither a share of 0..0.9 (holdout), nor all or a list of fold "
       "numbers such as [0, 2] (kfold)"},
      {"{scheme: kfold, test: some}", "error: data.split.test=some is neither a share"},
      {"{scheme: kfold, test: [0, x]}",
       "error: data.split.test=[0, x] has 'x', which is no number of a fold"},
      {"{scheme: kfold, test: [-1]}", "has '-1', which is no number of a fold"},
      {"{scheme: kfold, test: []}", "error: data.split.test=[] asks for no fold"},
      {"{scheme: kfold, test: [1, 1]}", "error: data.split.test=[1, 1] asks for fold 1 twice"},
      {"{scheme: kfold, count: 3, test: [0, 3]}",
       "error: data.split.test=[0, 3] asks for fold 3, and data.split.count=3 makes the folds 0 to "
       "2"},
      {"{scheme: holdout, test: all}",
       "error: data.split.test=all says which folds are trials, and data.split.scheme=holdout has "
       "no folds"},
      {"{scheme: holdout, test: [0]}",
       "error: data.split.test=[0] says which folds are trials, and data.split.scheme=holdout has "
       "no folds"},
      {"{scheme: given, test: 0.3}",
       "error: data.split.test=0.3 has no meaning with data.split.scheme=given: the file's /split "
       "says what "
       "is tested"},
      {"{scheme: holdout, count: 4}",
       "error: data.split.count=4 is a number of folds, and data.split.scheme=holdout has no "
       "folds"},
      {"{scheme: kfold, count: 1}", "error: data.split.count=1 is no number of folds: 2..1000"},
      {"{scheme: kfold, count: 2.5}", "error: data.split.count=2.5 is no number of folds"},
  };
  for (const auto& [split, said] : cases) {
    const std::string error = error_of(experiment(split));
    EXPECT_THAT(error, AllOf(HasSubstr(said), HasSubstr("t.yaml:7:"))) << split;
    EXPECT_THAT(error, HasSubstr("1 error, nothing was run")) << split;
  }
}

template <class Kinds>
std::string words(const Kinds& kinds) {
  std::vector<std::string> names;
  for (const auto& kind : kinds) names.push_back(kind.name);
  return join(names, " | ");
}

TEST_F(StudyTest, KindDataAndModelAreForTheConfigToSay) {
  EXPECT_EQ(error_of("schema: attune/experiment@1\nname: t\noptim: {lr: fast}\n"),
            "t.yaml: error: kind must be set: what a trial does (one of `attune list kinds`)\n"
            "t.yaml: error: data.kind must be set: " +
                words(data_kinds()) +
                "\n"
                "t.yaml: error: model.kind must be set: " +
                words(model_kinds()) +
                "\n"
                "t.yaml:3:9: error: optim.lr=fast is no number\n"
                "    3 | optim: {lr: fast}\n"
                "      |             ^ set here\n"
                "4 errors, nothing was run.");
}

TEST_F(StudyTest, AClassTokenMustSeeTheImage) {
  const std::vector<std::string> causal = {"model.pool=cls", "model.attention.pattern=causal"};
  EXPECT_THAT(error_of(experiment("{scheme: holdout}"), causal),
              AllOf(HasSubstr("model.pool=cls reads the class token"),
                    HasSubstr("model.attention.pattern=causal sees itself alone"),
                    HasSubstr("model.attention.pattern=full")));
  EXPECT_EQ(error_of(experiment("{scheme: holdout}"), {causal.front()}), "no error");
  EXPECT_EQ(error_of(experiment("{scheme: holdout}"), {causal.back()}), "no error");
}

TEST_F(StudyTest, ProbesOfWhatTheModelHasNotAreRefusedWhereTheyStand) {
  const std::string study = experiment("{scheme: holdout}",
                                       "probes:\n  residual_norms: {every: 5}\n"
                                       "  attention_entropy: {count: 4}\n  max_logit: {every: 2}\n"
                                       "  attention_maps: {layers: [0, 1]}\n");
  // Of one layer there is no layer 1.
  EXPECT_THAT(error_of(study),
              AllOf(HasSubstr("t.yaml:15:20: error: probes.attention_maps.layers has 1, and "
                              "model.n_layers=1"),
                    HasSubstr("layers count from 0 to 0"), HasSubstr("1 error, nothing")));
  const std::vector<std::string> first = {"probes.attention_maps.layers=all"};
  EXPECT_EQ(error_of(study, first), "no error");
  EXPECT_THAT(error_of(study, {first[0], "model.attention.kind=performer"}),
              AllOf(HasSubstr("t.yaml:14:3: error: probes.max_logit is the largest score, and "
                              "model.attention.kind=performer forms no scores"),
                    HasSubstr("1 error, nothing")));
  // All at once, of models without blocks.
  for (const char* none : {"model.kind=mlp", "model.n_layers=0"})
    EXPECT_THAT(error_of(study, {first[0], none}),
                AllOf(HasSubstr("t.yaml:12:3: error: probes.residual_norms looks into the residual "
                                "blocks over an example's rows, and " +
                                std::string(none) + " has none"),
                      HasSubstr("t.yaml:13:3: error: probes.attention_entropy"),
                      HasSubstr("t.yaml:14:3: error: probes.max_logit"),
                      HasSubstr("t.yaml:15:3: error: probes.attention_maps"),
                      HasSubstr("4 errors, nothing was run")));
  EXPECT_EQ(error_of(experiment("{}", "probes: {update_ratios: {every: 5}}\n"), {"model.kind=mlp"}),
            "no error");
}

TEST_F(StudyTest, ProbesAreToldWhatTheyCannotBe) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"max_logits: {every: 5}", "unknown key 'probes.max_logits'; did you mean"},
      {"max_logit: {evry: 5}", "unknown key 'probes.max_logit.evry'; did you mean"},
      {"max_logit: {every: 0}", "probes.max_logit.every=0"},
      {"attention_maps: {steps: [last, end]}",
       "probes.attention_maps.steps=[last, end] has 'end'|allowed are first, last and step "
       "numbers"},
      {"attention_maps: {steps: []}", "probes.attention_maps.steps=[] would keep no map"},
      {"attention_maps: {layers: [-1]}", "is neither all nor a list of layers"},
      {"attention_maps: {layers: some}", "is neither all nor a list of layers"},
      {"attention_maps: {examples: {split: holdout}}", "train, val, test"},
  };
  for (const auto& [probe, said] : cases) {
    const std::string error = error_of(experiment("{}", "probes: {" + probe + "}\n"));
    for (const std::string_view part : split(said, '|'))
      EXPECT_THAT(error, HasSubstr(std::string(part))) << probe;
    EXPECT_THAT(error, AllOf(HasSubstr("t.yaml:11:"), HasSubstr("1 error, nothing"))) << probe;
  }
}

// What the data lacks, at the key that asks for it.
TEST_F(StudyTest, ProbesOfASplitThatIsNotThereAreRefused) {
  const std::string without_val = "{val: 0}";
  const std::vector<std::string> last = {"select.how=last"};
  EXPECT_EQ(error_of(experiment(without_val), last), "no error");
  EXPECT_THAT(error_of(experiment(without_val, "probes: {max_logit: {count: 4}}\n"), last),
              AllOf(HasSubstr("t.yaml:11:"), HasSubstr("probes.max_logit is measured on validation "
                                                       "examples, and this data has none")));
  EXPECT_THAT(
      error_of(experiment(without_val, "probes: {attention_maps: {examples: {split: val}}}\n"),
               last),
      AllOf(HasSubstr("t.yaml:11:"), HasSubstr("probes.attention_maps.examples.split=val: "
                                               "this data has no val examples")));
}

TEST_F(StudyTest, OneClassIsNothingToLearn) {
  write_small_images(folder / "small.h5", 30, 1);
  EXPECT_THAT(error_of(experiment("{scheme: holdout}")),
              AllOf(HasSubstr("t.yaml:6:3: error: all examples are of one class ('a')"),
                    HasSubstr("at least two")));
}

TEST_F(StudyTest, WeightsToStartFromAreToldWholeAndMustBeNumbers) {
  const std::string path = folder / "weights.h5";
  const auto write = [&path](const std::string& name, float value) {
    RunContent content = empty_content();
    content.weights = {{"chosen", 0, {{name, {2}, {1, value}}}}};
    write_synced(path, run_file_bytes(sample_trial(), content, "test"));
  };
  write("head.bias", 1);
  const std::string more = "results: {hash_every: 100}\n";
  const std::string missing =
      error_of(experiment("{scheme: holdout}", more), {"train.init_from=" + path});
  EXPECT_THAT(missing, AllOf(HasSubstr("command line: error: "), HasSubstr("'head.weight'"),
                             HasSubstr("'patch.weight'"), HasSubstr("'patch.bias'")));
}

TEST_F(StudyTest, OnTheCommandLineToo) {
  EXPECT_THAT(error_of(experiment("{scheme: kfold}"), {"data.split.test=0.2"}),
              HasSubstr("command line: error: data.split.test=0.2 is a share"));
  EXPECT_EQ(error_of(experiment("{scheme: kfold, test: all}"), {"data.split.test=[0]"}),
            "no error");
  EXPECT_EQ(error_of(experiment("{scheme: kfold, test: all}"),
                     {"data.split.scheme=holdout", "data.split.test=null"}),
            "no error");
}

// What only the data can tell stands where the key was set, once for all rows.
TEST_F(StudyTest, WhatTheDataRefusesStandsAtItsKey) {
  const std::string folds = experiment("{scheme: kfold, count: 31}", "baselines: [size_only]\n");
  EXPECT_THAT(error_of(folds),
              AllOf(HasSubstr("t.yaml:7:26: error: data.split.count=31 is more than the 30 groups"),
                    HasSubstr("  Set data.split.count to at most 30, or data.split.by=example\n"
                              "1 error, nothing was run.")));
  EXPECT_THAT(error_of(experiment("{}"), {"data.file=" + folder.path()}),
              AllOf(HasSubstr("command line: error: " + folder.path() + " is a folder"),
                    HasSubstr("attune import SOURCE -o FILE.h5")));
  EXPECT_THAT(error_of(experiment("{}"), {"data.file=/dev/null"}),
              AllOf(HasSubstr("/dev/null is no HDF5 file"), HasSubstr("attune import")));
}

// A file may list a class for a model that knows it; training on it cannot.
TEST_F(StudyTest, AClassWithoutImagesIsToBeRemovedWhateverTheScheme) {
  write_small_images(folder / "small.h5", 2, 3);  // two groups, and a third name
  for (const char* split : {"{}", "{scheme: kfold, count: 2}", "{scheme: given}", "{by: example}"})
    EXPECT_THAT(error_of(experiment(split)),
                AllOf(HasSubstr("t.yaml:6:3: error: class 'c' of /class_names has no image in"),
                      HasSubstr("Remove the name from /class_names")))
        << split;
}

TEST_F(StudyTest, BaselinesThatAreNoneAreNamedWithTheirPlace) {
  const std::string error =
      error_of(experiment("{}", "baselines: [pixel_logistic, size_only, size_only]\n"));
  EXPECT_THAT(error, AllOf(HasSubstr("t.yaml:11:1: error: baselines has 'pixel_logistic', which is "
                                     "no baseline; did you mean 'pixels_logistic'?"),
                           HasSubstr("baselines has 'size_only' twice"),
                           HasSubstr("pixels_logistic, size_only, nearest_neighbours"),
                           HasSubstr("2 errors, nothing was run")));
}

TEST_F(StudyTest, ABaselineThatCannotBeHadIsAnErrorBeforeTraining) {
  EXPECT_THAT(
      error_of(experiment("{val: 0}", "select: {how: last}\nbaselines: [size_only]\n")),
      HasSubstr("chooses its L2 penalty on validation examples, and the val split is empty"));
  EXPECT_THAT(
      error_of("schema: attune/experiment@1\nname: p\nkind: baseline\n"
               "data: {kind: phantoms, n_train: 4}\nbaseline: {name: nearest_neighbours, k: 5}\n"),
      HasSubstr("baseline.k=5 neighbours are more than the 4 training examples"));
}

// One group of validation examples has one class.
TEST_F(StudyTest, AMetricThatASplitCannotHaveNamesFoldSplitAndClass) {
  const std::string split = "{scheme: kfold, count: 5, val: 0.02, stratify: none}";
  EXPECT_THAT(
      error_of(experiment(split, "metrics: [test/accuracy, val/auc]\n")),
      AllOf(HasSubstr("t.yaml:11:1: error: metrics asks for val/auc, which in fold 0 cannot be "
                      "had: none of the"),
            HasSubstr("examples of the val split is of class"),
            HasSubstr("  Leave it out, or split otherwise (data.split)\n1 error, nothing was")));
  EXPECT_THAT(
      error_of(experiment(split, "select: {by: val/balanced_accuracy, goal: maximize}\n")),
      AllOf(HasSubstr("select.by asks for val/balanced_accuracy, which in fold 0 cannot"),
            HasSubstr("Set select.how=last, choose by another metric, or split otherwise")));
  EXPECT_EQ(error_of(experiment(split,
                                "select: {by: val/balanced_accuracy, goal: maximize, how: "
                                "last}\n")),
            "no error");
  EXPECT_EQ(error_of(experiment("{val: 0}", "select: {how: last}\n")), "no error");
  EXPECT_THAT(error_of(experiment("{val: 0}")), HasSubstr("the val split is empty"));
}

TEST_F(StudyTest, AMetricStandsOnce) {
  EXPECT_THAT(error_of(experiment("{}", "metrics: [test/auc, test/loss, test/auc]\n")),
              HasSubstr("metrics has 'test/auc' twice"));
}

// A fold that is one group has one class, and no AUC; accuracy it has.
TEST_F(StudyTest, AMetricThatIsAskedForMustExistInEveryFold) {
  write_small_images(folder / "small.h5", 6);
  const std::string split = "{scheme: kfold, count: 6, val: 0.3, test: all}";
  EXPECT_EQ(error_of(experiment(split, "metrics: [test/accuracy]\nbaselines: [size_only]\n")),
            "no error");
  EXPECT_THAT(error_of(experiment(split, "metrics: [test/accuracy, test/auc]\n")),
              HasSubstr("metrics asks for test/auc, which in fold 0 cannot be had: none of the"));
}

TEST_F(StudyTest, AucOfThreeClassesCannotBeAskedFor) {
  write_small_images(folder / "small.h5", 30, 3);
  EXPECT_THAT(
      error_of(experiment("{}", "metrics: [test/auc]\n")),
      HasSubstr("metrics asks for test/auc, which cannot be had: auc needs two classes, and "
                "this data has 3"));
  EXPECT_EQ(error_of(experiment("{}", "metrics: [test/balanced_accuracy]\n")), "no error");
}

}  // namespace
}  // namespace attune
