// Every kind of data, from a config to what a trained model says of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/files.h"
#include "config/config.h"
#include "datasets/pair_file.h"
#include "datasets/token_file.h"
#include "datasets/vector_file.h"
#include "experiments/kinds.h"
#include "study/study_config.h"
#include "tests/storage/sample.h"

namespace attune {
namespace {

using testing::HasSubstr;

// 60 sequences in 30 groups: of class 1 when they begin with the second token.
TokenTable sequences() {
  TokenTable table;
  for (Index i = 0; i < 60; ++i) {
    const auto label = static_cast<std::int32_t>(i / 2 % 2);
    table.tokens.insert(table.tokens.end(), {label, 2, 3});
    table.tokens.insert(table.tokens.end(), static_cast<std::size_t>(i % 5), 2);
    table.offsets.push_back(static_cast<Index>(table.tokens.size()));
    table.label.push_back(label);
    table.group.push_back(static_cast<std::int32_t>(i / 2));
  }
  table.vocabulary = {"no", "yes", "and", "so"};
  table.class_names = {"bad", "good"};
  return table;
}

// One document, "abcabc…".
TokenTable document(std::vector<std::string> vocabulary) {
  TokenTable table;
  for (int i = 0; i < 600; ++i) table.tokens.push_back(i % 3);
  table.offsets = {0, 600};
  table.vocabulary = std::move(vocabulary);
  return table;
}

// 60 inputs, each answered by its tokens backwards.
PairTable pairs() {
  PairTable table;
  table.input = sequences();
  table.group = sequences().group;
  table.answer.vocabulary = table.input.vocabulary;
  for (Index i = 0; i < table.input.size(); ++i) {
    const auto input = table.input.sequence(i);
    table.answer.tokens.insert(table.answer.tokens.end(), input.rbegin(), input.rend());
    table.answer.offsets.push_back(static_cast<Index>(table.answer.tokens.size()));
  }
  return table;
}

VectorTable vectors() {
  VectorTable table;
  static_cast<ExampleColumns&>(table) = sequences();
  table.width = 2;
  for (const std::int32_t label : table.label)
    table.x.insert(table.x.end(), {static_cast<float>(label), 1.0F});
  return table;
}

class DataKindsTest : public testing::Test {
 protected:
  DataKindsTest() {
    write_token_file(folder_ / "sequences.h5", sequences());
    write_token_file(folder_ / "abc.h5", document({"a", "b", "c"}));
    write_vector_file(folder_ / "vectors.h5", vectors());
    write_pair_file(folder_ / "pairs.h5", pairs());
  }
  Study study(const std::string& data, const std::string& rest) {
    LoadOptions load;
    load.path = folder_ / "t.yaml";
    load.text = "schema: attune/experiment@1\nname: t\nseeds: [2]\ndata: " + data + "\n" + rest;
    return load_study(load, all_kinds());
  }
  Study training(const std::string& data, const std::string& model) {
    return study(data, "kind: train\nmodel: " + model +
                           "\ntrain: {steps: 40, batch_size: 16, eval_every: 40}\n"
                           "optim: {lr: 0.01}\n");
  }
  // The trained run, read again from its file.
  RunFile run(const Study& study) {
    const Trial trial = plan_trials(study).front();
    const KindOptions& options = study.row_of(trial).kind_options();
    EXPECT_EQ(options.data_sha256(trial.seed, trial.fold).size(), 64U);
    Recorder recorder;
    kernels::Threads threads(1);
    RunContext context{recorder, threads};
    study.row_of(trial).kind().run(trial, options, context);
    write_atomically(folder_ / "run.h5", run_file_bytes(trial, recorder.content(), "build"));
    return read_run_file(folder_ / "run.h5");
  }
  Evaluation evaluated(const Study& study, const RunFile& run, const std::string& data) {
    kernels::Threads threads(1);
    return study.reference().kind().evaluate(run, study.reference().kind_options(), folder_ / data,
                                             threads);
  }
  TemporaryFolder folder_;
};

double final_value(const RunFile& run, const std::string& path) {
  for (const FinalMetric& m : run.head.final)
    if (m.split + "/" + m.name == path) return m.value;
  ADD_FAILURE() << path;
  return std::nan("");
}

constexpr const char* kSmall = "d_model: 16, n_heads: 2, n_layers: 1, position_size: 32}";

TEST_F(DataKindsTest, EveryKindTrainsAndIsTested) {
  const std::string encoder = std::string("{kind: encoder, ") + kSmall,
                    decoder = std::string("{kind: decoder, ") + kSmall,
                    both = std::string("{kind: encoder_decoder, ") + kSmall;
  const std::string few = ", n_train: 64, n_val: 16, n_test: 16}";
  const std::pair<std::string, std::string> cells[] = {
      {"{kind: tokens, file: sequences.h5}", encoder},
      {"{kind: vectors, file: vectors.h5}", "{kind: mlp}"},
      {"{kind: text, file: abc.h5, block: 16, test: 0.1}", decoder},
      {"{kind: retrieval" + few, encoder},
      {"{kind: recall" + few, decoder},
      {"{kind: copy" + few, decoder},
      {"{kind: needle" + few, encoder},
      {"{kind: max" + few, encoder},
      {"{kind: listops" + few, encoder},
      {"{kind: pairs, file: pairs.h5}", both},
      {"{kind: transduction" + few, both},
      {"{kind: lookup" + few, both},
      {"{kind: dictionary" + few,
       "{kind: esa, tokens: nodes, layers: MMS, d_model: 16, n_heads: 2}"}};
  for (const auto& [data, model] : cells) {
    const RunFile trained = run(training(data, model));
    EXPECT_EQ(trained.head.status, "finished") << data;
    EXPECT_TRUE(std::isfinite(final_value(trained, "test/loss"))) << data;
    EXPECT_GE(final_value(trained, "val/accuracy"), 0) << data;
  }
}

// After a there is b: nothing else to learn, in a text or another with the same characters.
TEST_F(DataKindsTest, ATextIsEvaluatedOnAnotherByTheNamesOfItsTokens) {
  const Study study = training("{kind: text, file: abc.h5, block: 16, test: 0.1}",
                               std::string("{kind: decoder, ") + kSmall);
  const RunFile trained = run(study);
  EXPECT_EQ(final_value(trained, "test/accuracy"), 1);
  TokenTable other = document({"b", "c", "a"});  // the same text again, from its second character
  write_token_file(folder_ / "bca.h5", other);
  const Predictions p = evaluated(study, trained, "bca.h5").predictions;
  EXPECT_EQ(p.target.size(), 599U);
  EXPECT_EQ(p.target[0], 2);  // c
  Index right = 0;
  for (std::size_t i = 0; i < p.target.size(); ++i) {
    const auto z = p.output.begin() + static_cast<std::ptrdiff_t>(3 * i);
    right += std::max_element(z, z + 3) - z == p.target[i];
  }
  EXPECT_EQ(right, 599);
  write_token_file(folder_ / "xyz.h5", document({"x", "y", "z"}));
  EXPECT_THROW(evaluated(study, trained, "xyz.h5"), DataError);
}

TEST_F(DataKindsTest, SequencesAreEvaluatedByTheNamesOfTokensAndClasses) {
  const Study study =
      training("{kind: tokens, file: sequences.h5}", std::string("{kind: encoder, ") + kSmall);
  const RunFile trained = run(study);
  EXPECT_EQ(trained.content.token_names, sequences().vocabulary);
  TokenTable other = sequences();
  other.vocabulary = {"yes", "no", "and", "so"};
  other.class_names = {"good", "bad"};
  write_token_file(folder_ / "other.h5", other);
  const Predictions own = evaluated(study, trained, "sequences.h5").predictions,
                    same = evaluated(study, trained, "other.h5").predictions;
  EXPECT_EQ(own.target.size(), 60U);
  for (std::size_t i = 0; i < 60; ++i) EXPECT_EQ(same.target[i], 1 - own.target[i]);
  // With "no" and "yes" exchanged example 0 is what example 10 was.
  EXPECT_EQ(same.output[0], own.output[20]);
  EXPECT_NE(same.output[0], own.output[0]);
  EXPECT_THROW(evaluated(study, trained, "vectors.h5"), DataError);
}

TEST_F(DataKindsTest, PairsAreEvaluatedByTheNamesOfTokensOfInputsAndAnswers) {
  const Study study =
      training("{kind: pairs, file: pairs.h5}", std::string("{kind: encoder_decoder, ") + kSmall);
  const RunFile trained = run(study);
  EXPECT_EQ(trained.content.token_names, pairs().input.vocabulary);
  PairTable other = pairs();  // the same again in other ids
  for (TokenSequences* side : {&other.input, &other.answer}) {
    std::reverse(side->vocabulary.begin(), side->vocabulary.end());
    for (std::int32_t& token : side->tokens) token = 3 - token;
  }
  write_pair_file(folder_ / "other.h5", other);
  const Predictions own = evaluated(study, trained, "pairs.h5").predictions,
                    same = evaluated(study, trained, "other.h5").predictions;
  EXPECT_EQ(own.target.size(), pairs().answer.tokens.size() + 60);  // a boundary behind each
  EXPECT_EQ(same.target, own.target);
  EXPECT_EQ(same.output, own.output);
  EXPECT_THROW(evaluated(study, trained, "sequences.h5"), DataError);
}

TEST_F(DataKindsTest, VectorsOfAnotherWidthAreRefused) {
  const Study study = training("{kind: vectors, file: vectors.h5}", "{kind: mlp}");
  const RunFile trained = run(study);
  EXPECT_EQ(trained.content.width, 2);
  VectorTable narrow = vectors();
  narrow.width = 1;
  narrow.x.resize(60);
  write_vector_file(folder_ / "narrow.h5", narrow);
  try {
    evaluated(study, trained, "narrow.h5");
    FAIL();
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("its vectors have 1 values, the model was trained on 2"));
  }
}

TEST_F(DataKindsTest, BaselinesAreOfImages) {
  const Study of_vectors = study("{kind: vectors, file: vectors.h5}",
                                 "kind: baseline\nbaseline: {name: pixels_logistic}\n");
  try {
    of_vectors.reference().kind_options().data_sha256(2, std::nullopt);
    FAIL();
  } catch (const KeyedDataError& error) {
    EXPECT_EQ(error.complaint().key, "baseline.name");
    EXPECT_THAT(error.what(), HasSubstr("data.kind=vectors has none"));
  }
}

// Else the loss would be that of copying.
TEST_F(DataKindsTest, WhatComesNextIsNotShownToWhoGuessesIt) {
  struct Seeing {
    const char *model, *key, *why;
  };
  const Seeing models[] = {
      {"{kind: encoder}", "model.attention.pattern", "lets rows see the rows behind them"},
      {"{kind: decoder, attention: {kind: exact, pattern: window, window: 2}}",
       "model.attention.pattern", "lets rows see the rows behind them"},
      {"{kind: decoder, attention: {kind: linformer, k: 4, max_length: 16}}",
       "model.attention.kind", "mixes all rows"},
  };
  for (const char* data : {"{kind: text, file: abc.h5, block: 16}", "{kind: recall}"})
    for (const Seeing& seeing : models) try {
        training(data, seeing.model).reference().kind_options().data_sha256(2, std::nullopt);
        ADD_FAILURE() << data << seeing.model;
      } catch (const KeyedDataError& error) {
        EXPECT_EQ(error.complaint().key, seeing.key);
        EXPECT_THAT(error.what(), HasSubstr(seeing.why));
      }
}

TEST_F(DataKindsTest, FoldsNeedTestPredictions) {
  const Study study =
      this->study("{kind: vectors, file: vectors.h5, split: {scheme: kfold, count: 3}}",
                  "kind: train\nmodel: {kind: mlp}\nresults: {predictions: []}\n");
  try {
    study.reference().kind_options().data_sha256(2, 0);
    FAIL();
  } catch (const KeyedDataError& error) {
    EXPECT_EQ(error.complaint().key, "results.predictions");
  }
}

}  // namespace
}  // namespace attune
