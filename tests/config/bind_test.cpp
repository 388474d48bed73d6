#include <gmock/gmock.h>

#include "tests/config/example.h"

namespace attune::example {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::string kVit = "model: {kind: vit}\n";

TEST(Bind, NumbersMayBeWrittenAsPeopleWriteThem) {
  const Loaded l = load(kVit +
                        "train: {steps: 1_000, eval_every: 1e3}\noptim: {lr: 1e-3, betas: [.5, "
                        "0.99], clip_norm: .inf}\n");
  EXPECT_EQ(l.error(), "");
  EXPECT_EQ(l.root.train.steps, 1000);
  EXPECT_EQ(l.root.train.eval_every, 1000);
  EXPECT_EQ(l.root.optim.lr, 1e-3);
  EXPECT_THAT(l.root.optim.betas, ElementsAre(0.5, 0.99));
  EXPECT_EQ(l.root.optim.clip_norm, std::numeric_limits<double>::infinity());
}

TEST(Bind, WhatOnlyLooksLikeANumberIsNone) {
  for (const char* text : {"1__0", "_1", "1_", "0x10", "1e", "--1", "+-1", "1 2", "1,5", "inf",
                           "nan", "-", "+", ".", "٣", "1e3x"}) {
    const Loaded l = load(kVit, {std::string("optim.lr=") + text});
    EXPECT_THAT(l.error(), HasSubstr(fmt::format("optim.lr={} is no number", text)));
  }
}

TEST(Bind, AnIntegerIsExactBeyondWhatADoubleHolds) {
  Index value = 0;
  FieldList fields;
  fields.integer("n", value, {}, Role::result, "n");
  Diagnostics diagnostics;
  const Document document = compose(
      {.path = "t", .overrides = {}, .library = "", .cwd = "/", .text = "n: 9007199254740993\n"},
      diagnostics);
  bind(document, fields, diagnostics);
  EXPECT_EQ(value, 9007199254740993);
}

TEST(Bind, ARefusedValueLeavesTheDefault) {
  const Loaded l = load(kVit + "train: {steps: -1, eval_every: 7}\n");
  EXPECT_EQ(l.root.train.steps, 500);
  EXPECT_EQ(l.root.train.eval_every, 7);
}

TEST(Bind, ARuleIsSilentAboutAKeyThatWasRefused) {
  const Loaded l = load("model: {kind: vit, n_heads: x, d_model: 30}\n");
  EXPECT_EQ(l.diagnostics.errors().size(), 1u);
  EXPECT_THAT(l.error(), HasSubstr("model.n_heads=x is no integer"));
}

TEST(Bind, ARuleOfAKindThatIsNotInForceIsNotChecked) {
  const Loaded l = load("model: {kind: mlp}\n");
  EXPECT_EQ(l.error(), "");
}

TEST(Bind, AnOptionalGroupIsOnWhenItStandsInTheFile) {
  EXPECT_FALSE(load(kVit).root.train.stop);
  EXPECT_FALSE(load(kVit + "train: {stop: null}\n").root.train.stop);
  const Loaded on = load(kVit + "train: {stop: {}}\n");
  ASSERT_TRUE(on.root.train.stop);
  EXPECT_EQ(on.root.train.stop->patience, 100);
  const Loaded set = load(kVit + "train: {stop: {patience: 3, metric: val/auc}}\n");
  ASSERT_TRUE(set.root.train.stop);
  EXPECT_EQ(set.root.train.stop->patience, 3);
  EXPECT_EQ(set.root.train.stop->metric, "val/auc");
}

TEST(Bind, EveryLeafKnowsWhereItComesFrom) {
  const Loaded l({{"configs/a.yaml", kHead + "defaults: [model: tiny]\nmodel:\n  n_heads: 2\n"},
                  {"configs/model/tiny.yaml", "kind: vit\nd_model: 48\nn_heads: 3\n"}},
                 {"model.d_model=64", "train.steps=9", "train.steps=8"});
  EXPECT_EQ(l.error(), "");
  EXPECT_EQ(l.origin("model.d_model"), "command line (was 48 at configs/model/tiny.yaml:2:1)");
  EXPECT_EQ(l.origin("model.n_heads"), "configs/a.yaml:5:3 (was 3 at configs/model/tiny.yaml:3:1)");
  EXPECT_EQ(l.origin("model.patch"), "default");
  EXPECT_EQ(l.origin("model.kind"), "configs/model/tiny.yaml:1:1");
  EXPECT_EQ(l.origin("train.steps"), "command line (was 9 on the command line)");
  EXPECT_EQ(l.origin("train.stop"), "default");
  EXPECT_THAT(origins(l.binding), HasSubstr("\nmodel.d_model = 64   "));
  EXPECT_THAT(origins(l.binding),
              HasSubstr("   <- command line (was 48 at configs/model/tiny.yaml:2:1)\n"));
}

TEST(Bind, BoundLeavesAreThoseOfTheRoot) {
  const Loaded l = load(kVit);
  const auto all = leaves(l.fields);
  ASSERT_EQ(l.binding.leaves.size(), all.size());
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(l.binding.leaves[i].leaf.key, all[i].key);
}

std::string leaf_text(const FieldList& fields) {
  std::string out;
  for (const ConfigLeaf& leaf : leaves(fields)) out += leaf.key + "=" + to_text(leaf.value) + "\n";
  return out;
}

TEST(Dump, ReadsBackToTheSameLeaves) {
  const Loaded l = load(
      "model: {kind: vit, mlp_ratio: null, d_model: 96}\nkind: 'on'\n"
      "doc: \"\\\\${a} 'quoted' \\\"twice\\\"\\n# line: two\\ttab \\x1b \\\\ é注 "
      "${model.d_model}\"\n"
      "optim: {lr: 1e-5, betas: [], clip_norm: .inf}\ntrain: {stop: {metric: 'null'}, init_from: "
      "w.h5}\nseeds: [3, 1]\nmetrics: ['no', '007', a/b]\n");
  ASSERT_EQ(l.error(), "");
  EXPECT_THAT(l.root.doc, HasSubstr("${a} 'quoted' \"twice\"\n# line: two\ttab \x1b \\ é注 96"));
  const std::string text = dump(l.fields);
  Root again;
  FieldList fields;
  again.fields(fields);
  Diagnostics diagnostics;
  const Document document =
      compose({.path = "dump", .overrides = {}, .library = "", .cwd = "/elsewhere", .text = text},
              diagnostics);
  check_schema(document, diagnostics);
  bind(document, fields, diagnostics);
  EXPECT_TRUE(diagnostics.ok()) << diagnostics.text() << "\n" << text;
  EXPECT_EQ(leaf_text(fields), leaf_text(l.fields));
  EXPECT_EQ(dump(fields), text);
}

TEST(Dump, IsBlockYamlInDeclaredOrder) {
  const Loaded l = load("seeds: [2]\nmodel: {width: 7, kind: mlp}\ntrain: {steps: 10}\n");
  EXPECT_EQ(dump(l.fields),
            "schema: attune/experiment@1\n"
            "name: t\n"
            "kind: train\n"
            "doc: \"\"\n"
            "model:\n"
            "  kind: mlp\n"
            "  width: 7\n"
            "  dropout: 0.0\n"
            "optim:\n"
            "  lr: 0.001\n"
            "  betas: [0.9, 0.999]\n"
            "  clip_norm: null\n"
            "train:\n"
            "  steps: 10\n"
            "  eval_every: 100\n"
            "  shuffle: true\n"
            "  stop: null\n"
            "  init_from: null\n"
            "seeds: [2]\n"
            "metrics: [test/accuracy]\n");
}

}  // namespace
}  // namespace attune::example
