// Folds and baselines from outside: what is trained once, and what a kill leaves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>

#include "base/files.h"
#include "base/json.h"
#include "storage/run_file.h"
#include "tests/process/kills.h"
#include "tests/process/process.h"
#include "tests/small_images.h"

namespace attune {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

class FoldRun : public testing::Test {
 protected:
  FoldRun() { write_small_images(folder / "small.h5"); }
  // Quickstart's model on three folds of a small file, with a baseline.
  Words words(const std::string& out, const Words& more = {}) const {
    Words all = {"run",
                 quickstart(),
                 "-q",
                 "-o",
                 folder / out,
                 "data.kind=images",
                 "data.file=" + (folder / "small.h5"),
                 "data.split.scheme=kfold",
                 "data.split.count=3",
                 "baselines=[size_only]",
                 "train.steps=20",
                 "train.eval_every=10",
                 "checkpoint.every=7",
                 "model.dropout=0.1",
                 "seeds=[0, 1]"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  Json json(const std::string& out, Words more) const {
    more.push_back("--json");
    const Finished run = run_attune(words(out, more));
    EXPECT_EQ(run.code, 0) << run.err;
    return Json::parse(run.out, "stdout");
  }
  TestFolder folder;
};

TEST_F(FoldRun, AFoldThatWasTrainedAloneIsNotTrainedAgain) {
  Json first = json("a", {"data.split.test=[0]"});
  EXPECT_EQ(*first.find("trained")->integer(), 4);
  const auto before = run_file_bytes_in(folder / "a");
  const Json all = json("a", {});
  EXPECT_EQ(*all.find("trials")->integer(), 12);
  EXPECT_EQ(*all.find("already_finished")->integer(), 4);
  EXPECT_EQ(*all.find("trained")->integer(), 8);
  const auto after = run_file_bytes_in(folder / "a");
  for (const auto& file : before) EXPECT_THAT(after, testing::Contains(file));
}

TEST_F(FoldRun, TheRunSeedMovesNoExampleAndEachIsTestedOnce) {
  ASSERT_EQ(run_attune(words("a", {"--threads", "1"})).code, 0);
  ASSERT_EQ(run_attune(words("b", {"--threads", "3"})).code, 0);
  EXPECT_EQ(run_file_bytes_in(folder / "a"), run_file_bytes_in(folder / "b"));
  std::vector<Index> all;
  for (const Index fold : {0, 1, 2}) {
    std::vector<std::vector<Index>> tested;
    for (const std::string& path : files(folder / "a", ".h5")) {
      const RunFile run = read_run_file(path);
      EXPECT_TRUE(run.head.fold);
      if (run.head.fold == fold) tested.push_back(run.content.predictions.at("test").example);
    }
    ASSERT_THAT(tested, SizeIs(4));  // two seeds, of the model and of the baseline
    for (auto& one : tested) {
      std::sort(one.begin(), one.end());
      EXPECT_EQ(one, tested[0]);
    }
    all.insert(all.end(), tested[0].begin(), tested[0].end());
  }
  std::sort(all.begin(), all.end());
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i], static_cast<Index>(i));
  EXPECT_EQ(static_cast<Index>(all.size()), DatasetFile(folder / "small.h5").table().size());
}

// Killed wherever it happens to be, and started again until it is done.
TEST_F(FoldRun, LeavesTheSameBytesAfterKills) {
  const Words more = {"train.steps=200", "train.eval_every=50"};
  ASSERT_EQ(run_attune(words("whole", more)).code, 0);
  int kills = 0;
  for (const double seconds : {0.1, 0.3, 0.15, 0.4, 0.2, 0.25}) {
    Started run(words("killed", more));
    if (run.wait(seconds)) break;
    run.signal(SIGKILL);
    ASSERT_TRUE(run.wait(10));
    ++kills;
  }
  EXPECT_GE(kills, 2);
  ASSERT_EQ(run_attune(words("killed", more)).code, 0);
  EXPECT_EQ(run_file_bytes_in(folder / "whole"), run_file_bytes_in(folder / "killed"));
}

TEST_F(FoldRun, TheTableHasALineARowAndLabelsASingleFold) {
  const Finished all = run_attune(words("a"));
  EXPECT_THAT(all.out, AllOf(HasSubstr("row        n  test/accuracy"), HasSubstr("reference  2  "),
                             HasSubstr("size_only  2  "), HasSubstr("are over seeds and test"),
                             Not(HasSubstr("only)"))));
  const Finished one = run_attune(words("a", {"data.split.test=[2]"}));
  EXPECT_THAT(one.out, HasSubstr("row (fold 2 of 3 only)"));
  const Json json_all = json("a", {});
  const Json& first = json_all.find("rows")->list()->front();
  EXPECT_EQ(first.find("by_fold")->list()->size(), 2U);
  EXPECT_EQ(first.find("by_fold")->list()->front().list()->size(), 3U);
  Words verbose = words("a", {"-v"});
  std::erase(verbose, "-q");
  EXPECT_THAT(run_attune(verbose).out, HasSubstr("size_only     1     2  "));
}

TEST_F(FoldRun, TheFoldStandsInStatusAndShow) {
  ASSERT_EQ(run_attune(words("a", {"data.split.test=[1]", "seeds=[0]"})).code, 0);
  const std::string study = folder / "a/quickstart";
  EXPECT_THAT(run_attune({"status", study}).out, HasSubstr("size_only-s0-f1-"));
  EXPECT_THAT(run_attune({"show", study}).out,
              AllOf(HasSubstr("row (fold 1 of 3 only)"), HasSubstr("\nreference ")));
  const std::string run_file = files(study, ".h5")[1];
  EXPECT_THAT(run_attune({"show", run_file}).out, HasSubstr("size_only, seed 0, fold 1, finished"));
}

// Of the fold, and of the row, that it holds.
TEST_F(FoldRun, ARunFileHoldsItsOwnFold) {
  ASSERT_EQ(run_attune(words("a", {"seeds=[0]"})).code, 0);
  for (const std::string& path : files(folder / "a", ".h5")) {
    const std::string name = std::filesystem::path(path).filename();
    const Finished again = run_attune({"run", path, "-o", folder / name, "-q"});
    ASSERT_EQ(again.code, 0) << again.err;
    ASSERT_THAT(files(folder / name, ".h5"), SizeIs(1));
    EXPECT_EQ(read_file(path), read_file(files(folder / name, ".h5")[0]));
  }
}

// The data is found where the metadata says, or where one is told; other content is refused.
TEST_F(FoldRun, VerifyRepeatsFoldsOfAFileWhereverItLies) {
  ASSERT_EQ(run_attune(words("a", {"seeds=[0]"})).code, 0);
  const std::string study = folder / "a/quickstart";
  const Finished all = run_attune({"verify", study});
  EXPECT_EQ(all.code, 0) << all.out << all.err;
  EXPECT_THAT(all.out, HasSubstr("6 of 6"));
  std::filesystem::create_directory(folder / "moved");
  std::filesystem::rename(folder / "small.h5", folder / "moved/small.h5");
  const std::string run_file = files(study, ".h5")[1];
  const Finished lost = run_attune({"verify", run_file});
  EXPECT_EQ(lost.code, 2) << lost.out;
  EXPECT_THAT(lost.out, HasSubstr("small.h5"));
  EXPECT_EQ(run_attune({"verify", run_file, "data.file=" + (folder / "moved/small.h5")}).code, 0);
  write_small_images(folder / "small.h5", 29);
  const Finished other = run_attune({"verify", run_file});
  EXPECT_EQ(other.code, 5) << other.out << other.err;
  EXPECT_THAT(other.out, AllOf(HasSubstr("content is not what"), HasSubstr("data.file=")));
}

TEST_F(FoldRun, AMissingTrialLeavesItsRowWithoutNumbers) {
  ASSERT_EQ(run_attune(words("a")).code, 0);
  const std::string study = folder / "a/quickstart";
  for (const std::string& path : files(study, ".h5"))
    if (path.find("size_only-s1-f2") != path.npos) std::filesystem::remove(path);
  EXPECT_THAT(run_attune({"show", study}).out,
              AllOf(HasSubstr("size_only  0  1 of 6 trials missing"), HasSubstr("reference  2  ")));
}

// Keys that only training has are not asked of a baseline.
TEST_F(FoldRun, ABaselineCanBeRehearsed) {
  const std::string study = folder / "alone.yaml";
  write_atomically(study,
                   "schema: attune/experiment@1\nname: alone\nkind: baseline\n"
                   "data: {kind: phantoms, n_train: 32, n_val: 8, n_test: 8}\n");
  const Finished run = run_attune({"run", study, "--fast-dev-run", "-o", folder / "a"});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_FALSE(std::filesystem::exists(folder / "a"));
}

}  // namespace
}  // namespace attune
