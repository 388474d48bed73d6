// `attune verify` from outside: what was run is run again, and every byte compared.
#include <gmock/gmock.h>
#include <signal.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/files.h"
#include "base/json.h"
#include "storage/run_file.h"
#include "tests/process/kills.h"

namespace attune {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

// The run file rewritten with other content, as a machine that computes wrongly would have, with
// or without its metadata.
template <class Change>
void rewrite(const std::string& path, const Change& change) {
  RunFile run = read_run_file(path);
  change(run);
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      << run_file_bytes(run.trial, run.content, run.head.build_id);
}

class Verify : public testing::Test {
 protected:
  std::vector<std::string> train(const Words& more = {}) {
    Words words = small_run(folder_ / "a", {"results.hash_every=10", "seeds=[0]"});
    words.insert(words.end(), more.begin(), more.end());
    const Finished run = run_attune(words);
    EXPECT_EQ(run.code, 0) << run.err;
    return files(folder_ / "a", ".h5");
  }
  static void remove_metadata(const std::string& run) {
    std::filesystem::remove(run.substr(0, run.size() - 3) + ".meta.json");
  }
  TestFolder folder_;
};

TEST_F(Verify, WhatWasRunIsTheSameAgainAndNothingIsWritten) {
  const auto runs = train({"seeds=[0, 1]"});
  const auto before = files(folder_.path(), "");
  const Finished one = run_attune({"verify", runs[0]});
  EXPECT_EQ(one.code, 0) << one.out << one.err;
  EXPECT_THAT(one.out, AllOf(HasSubstr(runs[0]), HasSubstr("the same"), HasSubstr("bytes")));
  for (const char* threads : {"1", "3"}) {
    const Finished all = run_attune({"verify", folder_ / "a/quickstart", "--threads", threads});
    EXPECT_EQ(all.code, 0);
    EXPECT_EQ(all.out, "2 of 2 run files are the same when they are repeated\n");
  }
  EXPECT_EQ(before, files(folder_.path(), ""));
}

TEST_F(Verify, AStudysTrialsMayBeDrawn) {
  train({"seeds=0-4", "train.steps=4", "train.eval_every=2", "schedule.warmup=0",
         "results.save_parameters=[]", "probes.attention_maps.steps=[first]"});
  const auto drawn = [&](const char* seed) {
    const Finished some =
        run_attune({"verify", folder_ / "a/quickstart", "--trials", "2", "--draw", seed, "--json"});
    EXPECT_EQ(some.code, 0) << some.err;
    const Json json = Json::parse(some.out, "verify");
    EXPECT_EQ(*json.find("compared")->integer(), 2);
    EXPECT_EQ(*json.find("same")->integer(), 2);
    std::vector<std::string> names;
    for (const Json& file : *json.find("files")->list())
      names.push_back(*file.find("file")->text());
    EXPECT_NE(names[0], names[1]);
    return names;
  };
  EXPECT_EQ(drawn("1"), drawn("1"));
  bool differ = false;
  for (const char* seed : {"2", "3", "4", "5"}) differ = differ || drawn(seed) != drawn("1");
  EXPECT_TRUE(differ);
}

TEST_F(Verify, BaselinesAndSweepsAreRepeatedToo) {
  ASSERT_EQ(run_attune(small_sweep(
                           folder_, "s",
                           {"seeds=[0]", "train.steps=8", "train.eval_every=4", "schedule.warmup=0",
                            "results.save_parameters=[]", "probes.attention_maps.steps=[first]"}))
                .code,
            0);
  EXPECT_EQ(run_attune({"verify", folder_ / "s/small"}).code, 0);
  train({"baselines=[size_only, pixels_logistic]", "train.steps=4", "train.eval_every=2",
         "schedule.warmup=0", "results.save_parameters=[]", "probes.attention_maps.steps=[first]"});
  const Finished all = run_attune({"verify", folder_ / "a/quickstart"});
  EXPECT_EQ(all.code, 0) << all.out << all.err;
  EXPECT_THAT(all.out, HasSubstr("3 of 3"));
}

// A measurement's counts are repeated, its seconds are not compared; each repeat is a trial.
TEST_F(Verify, RepeatedMeasurementsAreRepeatedButForTheirTimes) {
  write_atomically(folder_ / "cost.yaml",
                   "schema: attune/experiment@1\nname: cost\nkind: op_cost\n"
                   "op_cost: {op: attention, attention: full, n: 32, n_heads: 2, d_head: 8, "
                   "seconds: 0.01}\nseeds: [0]\nrepeats: {count: 2}\n");
  ASSERT_EQ(run_attune({"run", folder_ / "cost.yaml", "-q", "-o", folder_ / "c"}).code, 0);
  const Finished all = run_attune({"verify", folder_ / "c/cost"});
  EXPECT_EQ(all.code, 0) << all.out << all.err;
  EXPECT_THAT(all.out, HasSubstr("2 of 2"));
}

TEST_F(Verify, AChangedTensorIsNamedWithItsStepAndValues) {
  const std::string run = train({"results.save_parameters=[30, last]"})[0];
  const std::string name = read_run_file(run).content.weights[0].tensors[5].name;
  remove_metadata(run);
  rewrite(run, [](RunFile& r) {
    r.content.weights[0].tensors[5].values[3] = 0.5F;
    r.content.hash[2] ^= 1;  // of steps 0, 10, 20, …
    r.content.metrics["train"].values[0][40] = 7.25;
  });
  const Finished told = run_attune({"verify", run});
  EXPECT_EQ(told.code, 4) << told.out << told.err;
  EXPECT_THAT(told.out, AllOf(HasSubstr("/weights/" + name + "["), HasSubstr("0.5 recorded"),
                              HasSubstr("first difference at step 30"),
                              HasSubstr("tensors of step 30: 1 of "), HasSubstr("other at step")));
  const Json file = Json::parse(run_attune({"verify", run, "--json"}).out, "verify")
                        .find("files")
                        ->list()
                        ->front();
  EXPECT_EQ(*file.find("same")->boolean(), false);
  EXPECT_EQ(*file.find("parameters_same_at")->integer() + 10,
            *file.find("parameters_differ_at")->integer());
  EXPECT_EQ(*file.find("differences")->list()->front().find("step")->integer(), 30);
}

// Without weights the interval and the series are all that can be said, and what would say more.
TEST_F(Verify, WithoutWeightsTheIntervalAndTheSeriesAreNamed) {
  const std::string run = train({"results.save_parameters=[]"})[0];
  remove_metadata(run);
  Index step = 0;
  rewrite(run, [&step](RunFile& r) {
    step = r.content.metrics["train"].step[24];
    r.content.metrics["train"].values[0][24] += 1e-15;
    for (std::size_t i = 3; i < r.content.hash.size(); ++i) r.content.hash[i] ^= 4;
  });
  const Finished told = run_attune({"verify", run});
  EXPECT_EQ(told.code, 4);
  EXPECT_THAT(told.out,
              AllOf(HasSubstr("first difference at step " + std::to_string(step) +
                              ": /metrics/train/loss[step=" + std::to_string(step) + "]"),
                    HasSubstr("no tensor can be named"), HasSubstr("results.save_parameters=")));
}

TEST_F(Verify, AProbesDifferenceIsNamedByItsCoordinates) {
  const std::string run = train()[0];
  remove_metadata(run);
  rewrite(run, [](RunFile& r) {
    for (ProbeTable& table : r.content.probes)
      if (table.name == "gradient_norms") table.quantities[0].values.back() = -1;
  });
  const Finished told = run_attune({"verify", run});
  EXPECT_EQ(told.code, 4);
  EXPECT_THAT(told.out,
              AllOf(HasSubstr("/probes/gradient_norms/"), HasSubstr("first difference at step 59"),
                    HasSubstr("[step=59, layer=1]"), HasSubstr("-1 recorded")));
}

// A file whose bytes its metadata no longer vouches for is damaged, and where is said as well.
TEST_F(Verify, AFileThatWasChangedAfterwardsIsDamagedAndStillCompared) {
  const std::string run = train()[0];
  rewrite(run, [](RunFile& r) { r.content.final[0].value = 0.125; });
  const Finished told = run_attune({"verify", run});
  EXPECT_EQ(told.code, 6);
  EXPECT_THAT(told.out, AllOf(HasSubstr("/final/"), HasSubstr("0.125 recorded"),
                              HasSubstr("changed after it was written"), HasSubstr("SHA-256")));
}

// Another build's file holds that build's name: the same numbers are no difference, others may be
// the build's.
TEST_F(Verify, AnotherBuildIsToldFromARealDifference) {
  const std::string run = train()[0];
  const auto of_build = [&](const std::string& build_id, bool change) {
    RunFile r = read_run_file(run);
    if (change) r.content.final[0].value = 0.125;
    const std::string path = folder_ / ("other" + std::to_string(change) + ".h5");
    std::ofstream(path, std::ios::binary) << run_file_bytes(r.trial, r.content, build_id);
    return path;
  };
  const Finished same = run_attune({"verify", of_build("0123456789abcdef", false)});
  EXPECT_EQ(same.code, 0) << same.out;
  EXPECT_THAT(same.out, AllOf(HasSubstr("but for build_id"), HasSubstr("0123456789abcdef"),
                              HasSubstr("every number is the same")));
  const Finished other = run_attune({"verify", of_build("0123456789abcdef", true)});
  EXPECT_EQ(other.code, 4);
  EXPECT_THAT(other.out, AllOf(HasSubstr("Another build wrote it"), HasSubstr("0123456789abcdef")));
  const Finished real =
      run_attune({"verify", of_build(read_run_file(run).head.build_id, true), "--json"});
  EXPECT_EQ(real.code, 4);
  EXPECT_THAT(real.out, AllOf(HasSubstr("\"cause\": \"unknown\""), HasSubstr("no metadata")));
}

TEST_F(Verify, OfOneThatIsDamagedTheOthersAreStillCompared) {
  const auto runs = train({"seeds=[0, 1]"});
  std::ofstream(runs[0], std::ios::binary | std::ios::trunc) << "nothing";
  const Finished told = run_attune({"verify", folder_ / "a/quickstart"});
  EXPECT_EQ(told.code, 6);
  EXPECT_THAT(told.out, AllOf(HasSubstr(runs[0]), HasSubstr("1 of 2 run files are the same")));
}

TEST_F(Verify, OnlyWhereFilesAreMayBeSaid) {
  const std::string run = train()[0];
  const Finished refused = run_attune({"verify", run, "optim.lr=0.5"});
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.out, AllOf(HasSubstr("optim.lr"), HasSubstr("its own config")));
  EXPECT_EQ(run_attune({"verify", folder_ / "none.h5"}).code, 2);
  EXPECT_EQ(run_attune({"verify", folder_.path()}).code, 2);
}

TEST_F(Verify, AStopLeavesNothingBehind) {
  const std::string run =
      train({"train.steps=1000", "train.eval_every=500", "results.save_parameters=[]",
             "probes.attention_maps.steps=[first]"})[0];
  const std::string scratch = folder_ / "scratch";
  std::filesystem::create_directory(scratch);
  const Environment there("TMPDIR", scratch);
  Started verify({"verify", run});
  while (files(scratch, "journal").empty()) ASSERT_FALSE(verify.wait(0.002));
  verify.signal(SIGINT);
  ASSERT_TRUE(verify.wait(20));
  EXPECT_EQ(verify.code(), 130);
  EXPECT_THAT(list_folder(scratch), IsEmpty());
}

}  // namespace
}  // namespace attune
