#include <gmock/gmock.h>

#include "tests/config/example.h"

namespace attune::example {
namespace {

using testing::HasSubstr;

const std::string kVit = "model: {kind: vit}\n";

TEST(Compose, LaterLayersWinAndTheFileIsLastWhenItDoesNotSay) {
  const Files files{
      {"configs/a.yaml", kHead + "defaults: [model: m, optim: o]\noptim: {lr: 0.1}\n"},
      {"configs/model/m.yaml", "kind: vit\npatch: 8\n"},
      {"configs/optim/o.yaml", "lr: 0.2\nclip_norm: 3\n"}};
  const Loaded l(files);
  EXPECT_EQ(l.error(), "");
  EXPECT_EQ(l.root.vit.patch, 8);
  EXPECT_EQ(l.root.optim.lr, 0.1);
  EXPECT_EQ(l.root.optim.clip_norm, 3.0);
}

TEST(Compose, SelfMarksTheFilesOwnPlace) {
  const Loaded l(
      {{"configs/a.yaml", kHead + "defaults: [_self_, optim: o]\noptim: {lr: 0.1}\n" + kVit},
       {"configs/optim/o.yaml", "lr: 0.2\n"}});
  EXPECT_EQ(l.error(), "");
  EXPECT_EQ(l.root.optim.lr, 0.2);
}

TEST(Compose, TheNearestGroupFileWins) {
  const std::string body = kHead + "defaults: [optim: o]\n" + kVit;
  LoadOptions options{.path = "p/configs/family/a.yaml",
                      .overrides = {},
                      .library = "library",
                      .cwd = "",
                      .text = {}};
  Folder folder;
  options.cwd = folder.path();
  folder.write("p/configs/family/a.yaml", body);
  const auto lr = [&] {
    Diagnostics diagnostics;
    return compose(options, diagnostics).scalar("optim.lr").value_or(diagnostics.text());
  };
  folder.write("p/optim/o.yaml", "lr: 4");  // above `configs`: never looked at
  EXPECT_THAT(lr(), HasSubstr("there is no optim/o.yaml\n"));
  EXPECT_THAT(lr(),
              HasSubstr("looked in p/configs/family/optim, p/configs/optim, library/optim\n"));
  folder.write("library/optim/o.yaml", "lr: 3");
  EXPECT_EQ(lr(), "3");
  folder.write("p/configs/optim/o.yaml", "lr: 2");
  EXPECT_EQ(lr(), "2");
  folder.write("p/configs/family/optim/o.yaml", "lr: 1");
  EXPECT_EQ(lr(), "1");
}

TEST(Compose, AGroupMayLieDeeper) {
  const Loaded l({{"configs/a.yaml", kHead + "defaults: [model/attention: cosine]\n" + kVit},
                  {"configs/model/attention/cosine.yaml", "score: cosine\n"}});
  EXPECT_EQ(l.error(), "");
  EXPECT_EQ(l.root.vit.attention.score, "cosine");
}

TEST(Compose, AGroupOptionTakesTheGroupsPlaceBelowTheBody) {
  const Files files{{"configs/a.yaml", kHead + "defaults: [model: small]\nmodel: {patch: 4}\n"},
                    {"configs/model/small.yaml", "kind: vit\nd_model: 32\n"},
                    {"configs/model/large.yaml", "kind: vit\nd_model: 512\npatch: 32\n"}};
  const Loaded l(files, {"model=large"});
  EXPECT_EQ(l.error(), "");
  EXPECT_EQ(l.root.vit.d_model, 512);
  EXPECT_EQ(l.root.vit.patch, 4);
}

TEST(Compose, AGroupOptionThatTheFileDoesNotListIsLaidOverIt) {
  const Loaded l({{"configs/a.yaml", kHead + "model: {kind: vit, patch: 4}\n"},
                  {"library/model/large.yaml", "kind: vit\npatch: 32\n"}},
                 {"model=large", "model.n_heads=8"});
  EXPECT_EQ(l.error(), "");
  EXPECT_EQ(l.root.vit.patch, 32);
  EXPECT_EQ(l.root.vit.n_heads, 8);
}

TEST(Compose, AnotherKindDropsTheOldKindsKeysWithANote) {
  const Loaded l(
      {{"configs/a.yaml", kHead + "defaults: [model: m]\nmodel: {kind: mlp, dropout: 0.5}\n"},
       {"configs/model/m.yaml", "kind: vit\npatch: 8\nd_model: 48\n"}});
  EXPECT_EQ(l.error(), "");
  EXPECT_EQ(l.root.model_kind, "mlp");
  EXPECT_EQ(l.root.mlp.dropout, 0.5);
  ASSERT_EQ(l.diagnostics.notes().size(), 1u);
  EXPECT_EQ(l.diagnostics.notes()[0].text("note"),
            "configs/a.yaml:4:9: note: model.kind=mlp replaces vit: dropped patch, d_model\n"
            "    4 | model: {kind: mlp, dropout: 0.5}\n"
            "      |               ^\n"
            "  configs/model/m.yaml:1:1: note: model.kind was vit here\n");
}

TEST(Compose, OnTheCommandLineAKindKeepsTheKeysBesideItInAnyOrder) {
  for (const auto& overrides : {std::vector<std::string>{"model.width=7", "model.kind=mlp"},
                                {"model.kind=mlp", "model.width=7"}}) {
    const Loaded l({{"configs/a.yaml", kHead + "model: {kind: vit, patch: 8}\n"}}, overrides);
    EXPECT_EQ(l.error(), "");
    EXPECT_EQ(l.root.mlp.width, 7);
    EXPECT_EQ(l.diagnostics.notes().size(), 1u);
  }
}

TEST(Compose, AKindChosenOverADefaultKindDropsKeysToo) {
  Loaded l({{"configs/a.yaml", kHead + "model: {patch: 8}\n"}}, {"model.kind=mlp"});
  EXPECT_EQ(l.error(), "");
  ASSERT_EQ(l.diagnostics.notes().size(), 1u);
  EXPECT_EQ(l.diagnostics.notes()[0].message,
            "model.patch belongs to model.kind=vit; here model.kind=mlp: dropped");
}

TEST(Compose, OverridesMayBeListsMapsTextsAndNull) {
  const Loaded l = load(kVit + "train: {stop: {patience: 5}}\n",
                        {"optim.betas=[0.5, 0.6]", "model={patch: 4, d_model: 32}",
                         "doc='a: b # c'", "train.stop=null", "optim.lr=1e-4"});
  EXPECT_EQ(l.error(), "");
  EXPECT_EQ(l.root.optim.betas, (std::vector<double>{0.5, 0.6}));
  EXPECT_EQ(l.root.vit.d_model, 32);
  EXPECT_EQ(l.root.doc, "a: b # c");
  EXPECT_FALSE(l.root.train.stop);
  EXPECT_EQ(l.root.optim.lr, 1e-4);
}

TEST(Compose, AnUnquotedOverrideIsTakenLetterByLetter) {
  const Loaded l = load(kVit, {"doc=a=b: #c @d, *e"});
  EXPECT_EQ(l.error(), "");
  EXPECT_EQ(l.root.doc, "a=b: #c @d, *e");
}

TEST(Compose, OverridesMayReachIntoAGroupThatIsOff) {
  const Loaded l = load(kVit + "train: {stop: null}\n", {"train.stop.patience=7"});
  EXPECT_EQ(l.error(), "");
  ASSERT_TRUE(l.root.train.stop);
  EXPECT_EQ(l.root.train.stop->patience, 7);
  EXPECT_EQ(l.root.train.stop->metric, "val/loss");
}

TEST(Compose, PathsAreRelativeToTheFileThatNamesThem) {
  const Files files{{"configs/a.yaml", kHead + "defaults: [train: t]\n" + kVit},
                    {"configs/train/t.yaml", "init_from: ../../w.h5\n"}};
  const Loaded from_file(files);
  EXPECT_EQ(from_file.root.train.init_from, from_file.folder.path() + "/w.h5");
  const Loaded from_line(files, {"train.init_from=x/../w2.h5"});
  EXPECT_EQ(from_line.root.train.init_from, from_line.folder.path() + "/w2.h5");
  const Loaded absolute(files, {"train.init_from=/data/w3.h5"});
  EXPECT_EQ(absolute.root.train.init_from, "/data/w3.h5");
}

TEST(Compose, AReferenceTakesValuesListsAndDefaults) {
  const Loaded l = load(
      "model: {kind: vit, d_model: '${model.patch}', patch: 8}\n"
      "doc: p${model.patch}-h${model.n_heads}\n"
      "optim: {betas: ['${optim.lr}', 0.5]}\n"
      "seeds: [1, 2]\nmetrics: ${seeds}\n");
  EXPECT_EQ(l.error(), "");
  EXPECT_EQ(l.root.vit.d_model, 8);
  EXPECT_EQ(l.root.doc, "p8-h4") << "n_heads is the default of the kind in force";
  EXPECT_EQ(l.root.optim.betas, (std::vector<double>{1e-3, 0.5}));
  EXPECT_EQ(l.root.metrics, (std::vector<std::string>{"1", "2"}));
}

TEST(Compose, AReferenceFollowsAnOverride) {
  const Loaded l =
      load("model: {kind: vit, d_model: '${model.patch}', patch: 8}\n", {"model.patch=16"});
  EXPECT_EQ(l.root.vit.d_model, 16);
}

TEST(Compose, ABackslashMakesAReferenceAText) {
  const Loaded l = load(kVit + "doc: costs \\${5}\n");
  EXPECT_EQ(l.error(), "");
  EXPECT_EQ(l.root.doc, "costs ${5}");
}

TEST(Compose, ReferencesCannotGrowWithoutBound) {
  std::string bomb = "bomb:\n  k0: ''\n";
  for (int i = 1; i < 30; ++i)
    bomb += fmt::format("  k{}: ${{bomb.k{}}}${{bomb.k{}}}\n", i, i - 1, i - 1);
  const Loaded l = load(kVit + bomb + "doc: ${bomb.k29}\n");
  EXPECT_THAT(l.error(), HasSubstr("more than 32 references in a chain, or 10000 in all"));
}

// With all keys under it commented out a group reads as if it set something.
TEST(Compose, AnEmptyGroupIsAnError) {
  EXPECT_EQ(load(kVit + "train:\n  # steps: 5\n").error(),
            "configs/a.yaml:4:1: error: train is empty; set a key under it, or remove the line\n"
            "    4 | train:\n"
            "      | ^ set here\n"
            "1 error, nothing was run.");
  EXPECT_THAT(load("model:\n  # kind: vit\n").error(),
              AllOf(HasSubstr("model is empty"), HasSubstr("1 error,")));
  EXPECT_EQ(load(kVit + "optim: {}\n").error(), "");
}

// One that cannot be read hides none of the others.
TEST(Compose, BooleanKeysAnchorsAliasesAndTagsAreToldWithAllElse) {
  const std::string errors =
      load(
          "model: {kind: vit, on: 1}\noptim: &o {lr: fast}\nmetrics: [*o]\ndoc: !!str x\n"
          "train: {steps: many, yes: {no: 1}}\nmodle: 3\n")
          .error();
  for (const char* said : {"the key on into a boolean", "anchors (&name)", "optim.lr=fast",
                           "aliases (*name)", "the tag '!!str'", "the key yes into a boolean",
                           "the key no into a boolean", "train.steps=many", "'modle'", "9 errors,"})
    EXPECT_THAT(errors, HasSubstr(said));
}

TEST(Compose, ByteOrderMarksAndWindowsLineEndsAreRead) {
  const Files files{{"configs/a.yaml",
                     "\xEF\xBB\xBFschema: attune/experiment@1\r\nname: t\r\nmodel:\r\n  kind: "
                     "vit\r\n  patch: 8\r\n"}};
  const Loaded l(files);
  EXPECT_EQ(l.error(), "");
  EXPECT_EQ(l.root.vit.patch, 8);
  EXPECT_EQ(l.origin("model.patch"), "configs/a.yaml:5:3");
}

TEST(Compose, ColumnsCountLettersNotBytes) {
  const Loaded l = load("model: {kind: vit} # é\ndoc: {é注: 1}\n");
  EXPECT_THAT(l.error(), HasSubstr("configs/a.yaml:4:1: error: doc is a map of keys"));
  const Loaded m = load(kVit + "train: {init_from: é注, stepz: 5}\n");
  EXPECT_THAT(m.error(), HasSubstr("configs/a.yaml:4:24: error: unknown key 'train.stepz'"));
  EXPECT_THAT(m.error(), HasSubstr("\n      | " + std::string(24, ' ') + "^ not a key"))
      << "注 is two columns wide";
}

TEST(Compose, TheYamlOfARunFileNeedsNoFile) {
  Diagnostics diagnostics;
  const LoadOptions options{.path = "run.h5:/config",
                            .overrides = {"model.patch=4"},
                            .library = "",
                            .cwd = "/",
                            .text = kHead + kVit};
  const Document document = compose(options, diagnostics);
  EXPECT_TRUE(diagnostics.ok()) << diagnostics.text();
  EXPECT_EQ(document.scalar("model.patch"), "4");
  EXPECT_EQ(document.root.find("name")->at.text(), "run.h5:/config:2:1");
}

TEST(Compose, AFileThatCannotBeParsedIsNotUsable) {
  Folder folder;
  folder.write("a.yaml", "a: [");
  Diagnostics diagnostics;
  EXPECT_FALSE(
      compose(
          {.path = "a.yaml", .overrides = {"x"}, .library = "", .cwd = folder.path(), .text = {}},
          diagnostics)
          .usable);
  EXPECT_EQ(diagnostics.errors().size(), 2u) << "the command line's error is told too";
}

TEST(Compose, AFileNameIsGuessed) {
  Folder folder;
  folder.write("needle.yaml", kHead);
  Diagnostics diagnostics;
  compose({.path = "neddle.yaml", .overrides = {}, .library = "", .cwd = folder.path(), .text = {}},
          diagnostics);
  EXPECT_EQ(
      diagnostics.text(),
      "neddle.yaml: error: no such file\n  did you mean needle.yaml?\n1 error, nothing was run.");
}

TEST(Compose, AllErrorsAreThrownAtOnceAndListed) {
  const Loaded l = load("model: {kind: vit, patch: x}\ntrain: {steps: y}\n", {"optim.lr=z"});
  try {
    l.diagnostics.raise();
    FAIL() << "nothing was thrown";
  } catch (const InvalidConfig& e) {
    EXPECT_EQ(e.code(), ExitCode::usage);
    EXPECT_EQ(std::string(e.what()), l.error());
    ASSERT_EQ(e.errors().size(), 3u);
    EXPECT_EQ(e.errors()[1].at.line, 4);
    EXPECT_EQ(e.errors()[1].at.column, 9);
    EXPECT_EQ(e.errors()[1].message, "train.steps=y is no integer");
    EXPECT_TRUE(e.errors()[2].at.on_command_line());
  }
}

}  // namespace
}  // namespace attune::example
