#include "storage/trial.h"

#include <gmock/gmock.h>

#include <cmath>

#include "base/hash.h"
#include "tests/storage/sample.h"

namespace attune {
namespace {

using testing::StartsWith;

// The text is a contract: a change of it orphans every finished trial.
TEST(Trial, TheTextThatIsHashedIsAsDocumented) {
  EXPECT_EQ(sample_trial().canonical_text(),
            "attune.identity@1\n"
            "config.data.file=ct.h5\n"
            "config.kind=train\n"
            "config.model.bias=true\n"
            "config.model.d_model=96\n"
            "config.optim.betas=[0.9, 0.999]\n"
            "config.optim.lr=0.001\n"
            "config.probe.layers=[]\n"
            "config.results.save_parameters=[chosen, initial]\n"
            "config.train.stop=null\n"
            "kind=train\nseed=3\nfold=1\nstop_step=null\nrepeat=null\n"
            "data_sha256=dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd\n");
  EXPECT_EQ(sample_trial().identity(), sha256(sample_trial().canonical_text()));
}

TEST(Trial, NameRowDocOperationKeysAndFoldersAreNoPartOfTheIdentity) {
  Trial trial = sample_trial();
  const std::string identity = trial.identity();
  trial.study = "other", trial.row = "reference", trial.config_yaml = "";
  trial.config.push_back({"doc", std::string("Why"), Role::result});
  for (ConfigLeaf& leaf : trial.config) {
    if (leaf.key == "checkpoint.every") leaf.value = Index{7};
    if (leaf.key == "data.file") leaf.value = std::string("/elsewhere/ct.h5");
  }
  std::swap(trial.config[0], trial.config[4]);
  EXPECT_EQ(trial.identity(), identity);
}

TEST(Trial, WhatReachesANumberIsPartOfTheIdentity) {
  const auto differs = [](auto change) {
    Trial trial = sample_trial();
    change(trial);
    return trial.identity() != sample_trial().identity();
  };
  EXPECT_TRUE(differs([](Trial& t) { t.seed = 4; }));
  EXPECT_TRUE(differs([](Trial& t) { t.fold.reset(); }));
  EXPECT_TRUE(differs([](Trial& t) { t.stop_step = 10; }));
  EXPECT_TRUE(differs([](Trial& t) { t.repeat = 0; }));
  EXPECT_TRUE(differs([](Trial& t) { t.kind = "baseline"; }));
  EXPECT_TRUE(differs([](Trial& t) { t.data_sha256[0] = 'e'; }));
  EXPECT_TRUE(differs([](Trial& t) { t.init_sha256 = std::string(64, 'a'); }));
  EXPECT_TRUE(differs([](Trial& t) { t.config[5].value = std::nextafter(0.001, 1.0); }));
  EXPECT_TRUE(differs([](Trial& t) { t.config[3].value = 96.0; }));
}

TEST(Trial, TheStemSaysRowSeedFoldRepeatAndIdentity) {
  Trial trial = sample_trial();
  const auto id8 = [&] { return trial.identity().substr(0, 8); };
  EXPECT_EQ(trial.stem(), "lr=0.001-s3-f1-" + id8());
  trial.fold.reset();
  trial.repeat = 2;
  EXPECT_EQ(trial.stem(), "lr=0.001-s3-r2-" + id8());
}

TEST(Trial, ARowThatIsNoFileNameIsMadeOne) {
  Trial trial = sample_trial();
  trial.row = "../a b";
  EXPECT_THAT(trial.stem(), StartsWith("_._a_b-s3"));
  trial.row = std::string(61, 'x');
  EXPECT_THAT(trial.stem(),
              StartsWith(std::string(51, 'x') + "-" + sha256(trial.row).substr(0, 8) + "-s3"));
  trial.row = std::string(60, 'x');
  EXPECT_THAT(trial.stem(), StartsWith(trial.row + "-s3"));
}

}  // namespace
}  // namespace attune
