// The program from outside: what it leaves, whatever happens to it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>

#include "base/files.h"
#include "base/json.h"
#include "base/text.h"
#include "storage/run_file.h"
#include "tests/process/kills.h"
#include "tests/process/process.h"
#include "tests/small_disk.h"

namespace attune {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

TEST(Run, LeavesTheSameBytesForAnyThreads) {
  const TestFolder folder;
  ASSERT_EQ(run_attune(small_run(folder / "one", {"--threads", "1"})).code, 0);
  ASSERT_EQ(run_attune(small_run(folder / "two", {"--threads", "2"})).code, 0);
  ASSERT_EQ(run_attune(small_run(folder / "four", {"--threads", "4"})).code, 0);
  const auto one = run_file_bytes_in(folder / "one");
  EXPECT_THAT(one, SizeIs(2));
  EXPECT_EQ(one, run_file_bytes_in(folder / "two"));
  EXPECT_EQ(one, run_file_bytes_in(folder / "four"));
}

TEST(Run, LeavesTheSameBytesAfterTwentyKills) {
  const KillReport report = kill_at_random(20, 17);
  EXPECT_GE(2 * report.after_checkpoint, report.kills);
}

// SIGUSR1 is a scheduler's warning, SIGINT and SIGTERM a person's wish: each checkpoints first.
TEST(Run, StopsCleanlyOnSignalsAndGoesOn) {
  const TestFolder folder;
  const Words more = {"train.steps=4000", "train.eval_every=1000", "checkpoint.every=100000",
                      "seeds=[0]"};
  for (const auto& [number, code] :
       {std::pair{SIGUSR1, 85}, std::pair{SIGTERM, 143}, std::pair{SIGINT, 130}}) {
    Started run(small_run(folder / "a", more));
    while (files(folder / "a", "journal").empty()) ASSERT_FALSE(run.wait(0.01));
    run.wait(0.3);
    run.signal(number);
    ASSERT_TRUE(run.wait(20));
    EXPECT_EQ(run.code(), code);
    EXPECT_THAT(files(folder / "a", ".h5"), IsEmpty());
  }
  const Finished again =
      run_attune(small_run(folder / "a", {"train.steps=4000", "train.eval_every=1000", "seeds=[0]",
                                          "checkpoint.every=100000", "--max-time", "1s"}));
  EXPECT_EQ(again.code, 85);
  const auto status = run_attune({"status", folder / "a/quickstart"});
  EXPECT_EQ(status.code, 0);
  EXPECT_THAT(status.out, HasSubstr("reference-s0"));
}

// Before a trial has begun there is nothing to save, and a reader that waits must not need kill -9.
TEST(Run, BeforeTheFirstTrialASignalEndsTheProcessAtOnce) {
  const TestFolder folder;
  ASSERT_EQ(mkfifo((folder / "never.yaml").c_str(), 0600), 0);
  for (const char* verb : {"check", "run"})
    for (const auto& [number, code] : {std::pair{SIGTERM, 143}, std::pair{SIGINT, 130}}) {
      Started waiting({verb, folder / "never.yaml"});
      ASSERT_FALSE(waiting.wait(0.3));
      waiting.signal(number);
      ASSERT_TRUE(waiting.wait(5)) << verb << " hangs on signal " << number;
      EXPECT_EQ(waiting.code(), code);
    }
}

TEST(Run, ASecondCallHasNothingToDoAndAnotherSeedTrainsOnlyItself) {
  const TestFolder folder;
  ASSERT_EQ(run_attune(small_run(folder / "a")).code, 0);
  const auto before = run_file_bytes_in(folder / "a");
  std::vector<std::filesystem::file_time_type> times;
  for (const auto& path : files(folder / "a", ".h5"))
    times.push_back(std::filesystem::last_write_time(path));
  ASSERT_EQ(run_attune(small_run(folder / "a", {"seeds=[0, 1, 2]"})).code, 0);
  const auto after = run_file_bytes_in(folder / "a");
  ASSERT_THAT(after, SizeIs(3));
  EXPECT_EQ(before, decltype(before)(after.begin(), after.begin() + 2));
  for (std::size_t i = 0; i < 2; ++i)
    EXPECT_EQ(times[i], std::filesystem::last_write_time(files(folder / "a", ".h5")[i]));
}

TEST(Run, RefusesAnotherConfigUnderTheSameNameKeyByKey) {
  const TestFolder folder;
  ASSERT_EQ(run_attune(small_run(folder / "a", {"seeds=[0]"})).code, 0);
  const auto before = run_file_bytes_in(folder / "a");
  const Finished other = run_attune(small_run(folder / "a", {"seeds=[0]", "optim.lr=1e-4"}));
  EXPECT_EQ(other.code, 5);
  EXPECT_THAT(other.err, HasSubstr("optim.lr: 0.003 then, 1.0e-04 now"));
  EXPECT_EQ(before, run_file_bytes_in(folder / "a"));
  EXPECT_EQ(run_attune(small_run(folder / "a", {"seeds=[0]", "checkpoint.every=3"})).code, 0);
}

TEST(Run, ARunFileHoldsItsOwnConfig) {
  const TestFolder folder;
  ASSERT_EQ(run_attune(small_run(folder / "a")).code, 0);
  const std::string run_file = files(folder / "a", ".h5")[1];
  const Finished again = run_attune({"run", run_file, "-o", folder / "b", "-q"});
  ASSERT_EQ(again.code, 0) << again.err;
  ASSERT_THAT(files(folder / "b", ".h5"), SizeIs(1));
  EXPECT_EQ(read_file(run_file), read_file(files(folder / "b", ".h5")[0]));
}

TEST(Run, WeightsOfOneRunAreWhereAnotherBegins) {
  const TestFolder folder;
  ASSERT_EQ(run_attune(small_run(folder / "a", {"seeds=[0]"})).code, 0);
  const std::string from = files(folder / "a", ".h5")[0];
  // No training: the tested parameters are the loaded ones, and so is every metric.
  const Finished tested = run_attune(small_run(
      folder / "b", {"seeds=[0]", "train.steps=0", "schedule.warmup=0",
                     "results.save_parameters=[chosen]", "train.init_from=" + from, "--json"}));
  ASSERT_EQ(tested.code, 0) << tested.err;
  const Finished first = run_attune(small_run(folder / "a", {"seeds=[0]", "--json"}));
  const auto mean = [](const std::string& text) {
    return *Json::parse(text, "out").find("rows")->list()->at(0).find("mean")->real();
  };
  EXPECT_EQ(mean(tested.out), mean(first.out));
}

// Its config holds the weights' file name alone; where they lie is in the metadata.
TEST(Run, ARunFileFindsTheWeightsThatItBeganWith) {
  const TestFolder folder;
  ASSERT_EQ(run_attune(small_run(folder / "a", {"seeds=[0]"})).code, 0);
  const std::string from = files(folder / "a", ".h5")[0];
  const Finished second =
      run_attune(small_run(folder / "b", {"seeds=[0]", "train.init_from=" + from}));
  ASSERT_EQ(second.code, 0) << second.err;
  const std::string run_file = files(folder / "b", ".h5")[0];
  const Finished again = run_attune({"run", run_file, "-o", folder / "c", "-q"});
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(read_file(run_file), read_file(files(folder / "c", ".h5")[0]));
}

TEST(Run, WeightsThatDoNotFitCreateNothing) {
  const TestFolder folder;
  ASSERT_EQ(run_attune(small_run(folder / "a", {"seeds=[0]"})).code, 0);
  const std::string from = files(folder / "a", ".h5")[0];
  std::ofstream(folder / "text.h5") << "no weights";
  for (const auto& [word, said] : std::vector<std::pair<std::string, std::string>>{
           {"train.init_from=" + (folder / "none.h5"), "there is no such file"},
           {"train.init_from=" + (folder / "text.h5"), "is no HDF5 file"},
           {"train.init_from=" + from, "has shape"}}) {
    const Finished run = run_attune(small_run(folder / "bad", {word, "model.mlp_ratio=3"}));
    EXPECT_EQ(run.code, 2) << word;
    EXPECT_THAT(run.err, HasSubstr(said)) << word;
    EXPECT_FALSE(std::filesystem::exists(folder / "bad")) << word;
  }
}

TEST(Run, WeightsThatAreNoNumbersCreateNothing) {
  const TestFolder folder;
  ASSERT_EQ(run_attune(small_run(folder / "a", {"seeds=[0]"})).code, 0);
  RunFile run = read_run_file(files(folder / "a", ".h5")[0]);
  run.content.weights[0].tensors[1].values[0] = std::numeric_limits<float>::quiet_NaN();
  write_synced(folder / "nan.h5", run_file_bytes(run.trial, run.content, "test"));
  const Finished bad =
      run_attune(small_run(folder / "bad", {"train.init_from=" + (folder / "nan.h5")}));
  EXPECT_EQ(bad.code, 2);
  EXPECT_THAT(bad.err,
              AllOf(HasSubstr("hold NaN"), HasSubstr(run.content.weights[0].tensors[1].name)));
  EXPECT_FALSE(std::filesystem::exists(folder / "bad"));
}

TEST(Run, ErrorsOfAConfigCreateNothing) {
  const TestFolder folder;
  for (const auto& [word, key] : std::vector<std::pair<std::string, std::string>>{
           {"modle.d_model=64", "unknown key 'modle.d_model'; did you mean 'model.d_model'?"},
           {"optim.lr=fast", "optim.lr=fast"},
           {"train.steps=-3", "train.steps=-3"},
           {"model.norm=sideways", "model.norm=sideways"},
           {"model.n_heads=7", "model.n_heads=7 does not divide model.d_model=32"},
           {"train.batch_tokens=3", "train.batch_tokens=3"},
           {"--seeds=5", "--seeds"},
           {"--seeds=0", "write 0-0"},
           {"--seeds=0-1", "--seeds and seeds= both say which seeds"},
           {"model.pool=cls model.attention.pattern=causal", "sees itself alone"}}) {
    Words words;
    for (const std::string_view each : split(word, ' ')) words.emplace_back(each);
    const Finished run = run_attune(small_run(folder / "bad", words));
    EXPECT_EQ(run.code, 2) << word;
    EXPECT_THAT(run.err, HasSubstr(key)) << word;
    EXPECT_FALSE(std::filesystem::exists(folder / "bad")) << word;
  }
}

TEST(Run, AnOutputFolderThatIsNoneIsAnErrorOfTheCommandLine) {
  const Finished run = run_attune(small_run("/dev/null"));
  EXPECT_EQ(run.code, 2);
  EXPECT_THAT(run.err, HasSubstr("-o /dev/null is no folder"));
}

TEST(Run, ADivergedRunIsAnOutcome) {
  const TestFolder folder;
  const Finished run = run_attune(
      small_run(folder / "a", {"seeds=[0]", "optim.lr=100", "optim.clip_norm=null",
                               "schedule.warmup=0", "model.norm=none", "model.n_layers=12"}));
  EXPECT_EQ(run.code, 0) << run.err;
  const auto show = run_attune({"show", folder / "a/quickstart"});
  EXPECT_EQ(show.code, 0);
  EXPECT_THAT(show.out, HasSubstr("diverged"));
  const Finished strict = run_attune(small_run(
      folder / "b", {"seeds=[0]", "optim.lr=100", "optim.clip_norm=null", "schedule.warmup=0",
                     "model.norm=none", "model.n_layers=12", "numerics.nan=stop_study"}));
  EXPECT_EQ(strict.code, 1);
  EXPECT_THAT(strict.err, HasSubstr("diverged"));
}

TEST(Run, ADamagedRunFileIsNamedAndLeftAlone) {
  const TestFolder folder;
  ASSERT_EQ(run_attune(small_run(folder / "a", {"seeds=[0]"})).code, 0);
  const std::string path = files(folder / "a", ".h5")[0];
  std::string bytes = read_file(path);
  bytes.resize(bytes.size() / 2);
  std::ofstream(path, std::ios::binary) << bytes;
  const Finished run = run_attune(small_run(folder / "a", {"seeds=[0]"}));
  EXPECT_EQ(run.code, 6);
  EXPECT_THAT(run.err, HasSubstr(std::filesystem::path(path).filename().string()));
  EXPECT_EQ(read_file(path), bytes);
}

TEST(Run, ADamagedFrozenStudyIsDamageNotAnErrorOfTheConfig) {
  const TestFolder folder;
  ASSERT_EQ(run_attune(small_run(folder / "a", {"seeds=[0]"})).code, 0);
  std::ofstream(folder / "a/quickstart/study.yaml") << "kind: [";
  const Finished run = run_attune(small_run(folder / "a"));
  EXPECT_EQ(run.code, 6);
  EXPECT_THAT(run.err, AllOf(HasSubstr("study.yaml"), HasSubstr("Remove it")));
}

// Whoever ends last has seen the other's trials held at first, and finished in the end.
TEST(Run, TwoOnOneStudyShareItsTrials) {
  const TestFolder folder;
  const Words words = small_run(folder / "a", {"seeds=[0, 1, 2]", "train.steps=200"});
  Started one(words), two(words);
  ASSERT_TRUE(one.wait(60));
  ASSERT_TRUE(two.wait(60));
  EXPECT_EQ(std::min(one.code(), two.code()), 0);
  EXPECT_THAT(std::max(one.code(), two.code()), testing::AnyOf(0, 75));
  EXPECT_THAT(files(folder / "a", ".h5"), SizeIs(3));
}

TEST(Run, AnUnwritableFolderIsOneClearError) {
  const TestFolder folder;
  std::ofstream(folder / "file") << "not a folder";
  const Finished run = run_attune(small_run(folder / "file/results"));
  EXPECT_EQ(run.code, 1);
  EXPECT_THAT(run.err, HasSubstr("file/results"));
}

// A file system of 300 KB: the run stops with one sentence, loses nothing, and goes on when there
// is room.
TEST(Run, AFullDiskIsOneClearErrorAndNothingIsLost) {
  const TestFolder folder;
  const std::string small = folder / "small";
  std::filesystem::create_directory(small);
  be_allowed_to_mount();
  ASSERT_EQ(mount("tmpfs", small.c_str(), "tmpfs", 0, "size=300k"), 0) << std::strerror(errno);
  const Words more = {"seeds=[0]", "results.save_parameters=[chosen]"};
  const Finished full = run_attune(small_run(small + "/results", more));
  EXPECT_EQ(full.code, 1);
  EXPECT_THAT(full.err, HasSubstr("No space left on device"));
  EXPECT_THAT(files(small, ".h5"), IsEmpty());
  ASSERT_EQ(mount("tmpfs", small.c_str(), "tmpfs", MS_REMOUNT, "size=30m"), 0);
  const Finished after = run_attune(small_run(small + "/results", more));
  EXPECT_EQ(after.code, 0) << after.err;
  ASSERT_EQ(run_attune(small_run(folder / "whole", more)).code, 0);
  EXPECT_EQ(run_file_bytes_in(small), run_file_bytes_in(folder / "whole"));
  umount(small.c_str());
}

// A result that nobody gets is none.
TEST(Run, OutputThatIsLostIsAnError) {
  const TestFolder folder;
  ASSERT_EQ(run_attune(small_run(folder / "a", {"seeds=[0]"})).code, 0);
  for (const Words& words :
       {small_run(folder / "a", {"seeds=[0]"}), Words{"show", folder / "a/quickstart"},
        Words{"list", "ops"}, Words{"--version"}, Words{"run", "--help"}}) {
    const Finished lost = run_attune(words, "/dev/full");
    EXPECT_EQ(lost.code, 1) << words.front();
    EXPECT_THAT(lost.err, HasSubstr("output could not be written: No space left on device"))
        << words.front();
  }
}

// Programs read stdout and stderr whole: nothing but JSON on either.
TEST(Run, JsonStandsAlone) {
  const TestFolder folder;
  const auto started = [&folder](const Words& more) {
    Words words = small_run(folder / "a", more);
    words.erase(std::find(words.begin(), words.end(), "-q"));
    words.push_back("--json");
    return run_attune(words);
  };
  for (int i = 0; i < 2; ++i) {  // trained, and finished already
    const Finished run = started({"seeds=[0]"});
    EXPECT_EQ(run.code, 0);
    EXPECT_EQ(run.err, "");
    EXPECT_TRUE(Json::parse(run.out, "out").find("rows"));
  }
  const Finished stopped =
      started({"name=long", "train.steps=100000", "train.eval_every=1000", "--max-time", "1s"});
  EXPECT_EQ(stopped.code, 85);
  EXPECT_EQ(*Json::parse(stopped.out, "out").find("missing")->integer(), 2);
  EXPECT_EQ(*Json::parse(stopped.err, "err").find("exit")->integer(), 85);
  const Finished bad = started({"model.n_heads=7", "--sedes=3"});
  const Json error = Json::parse(bad.err, "err").find("errors")->list()->front();
  EXPECT_EQ(*error.find("file")->text(), "command line");
  EXPECT_THAT(*error.find("message")->text(), testing::StartsWith("unknown option '--sedes'"));
  const Finished heads = started({"model.n_heads=7"});
  const Json said = Json::parse(heads.err, "err").find("errors")->list()->front();
  EXPECT_THAT(*said.find("notes")->list()->front().find("file")->text(),
              HasSubstr("quickstart.yaml"));
  EXPECT_GT(*said.find("notes")->list()->front().find("line")->integer(), 0);
  for (const char* what : {"job", "study", "origin"}) {
    const Json config = Json::parse(started({"--cfg", what}).out, what);
    EXPECT_TRUE(config.find("optim.lr")) << what;
  }
}

TEST(Run, AnErrorIsToldOnce) {
  const TestFolder folder;
  const Finished run = run_attune(small_run(
      folder / "b", {"seeds=[0]", "optim.lr=100", "optim.clip_norm=null", "schedule.warmup=0",
                     "model.norm=none", "model.n_layers=12", "numerics.nan=stop_study"}));
  EXPECT_EQ(run.code, 1);
  const std::size_t first = run.err.find("numerics.nan");
  ASSERT_NE(first, run.err.npos) << run.err;
  EXPECT_EQ(run.err.find("numerics.nan", first + 1), run.err.npos) << run.err;
}

TEST(Run, ARehearsalKeepsNothing) {
  const TestFolder folder;
  const Finished run = run_attune(small_run(folder / "a", {"--fast-dev-run"}));
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_FALSE(std::filesystem::exists(folder / "a"));
}

TEST(Run, PlainLinesOffATerminalAndResultsAloneOnStdout) {
  const TestFolder folder;
  Words words = small_run(folder / "a", {"seeds=[0]"});
  words.erase(words.begin() + 2);  // not quiet
  const Finished run = run_attune(words);
  EXPECT_THAT(run.err,
              AllOf(HasSubstr("step 20/60"), Not(HasSubstr("\r")), Not(HasSubstr("\x1b"))));
  EXPECT_THAT(run.out, AllOf(HasSubstr("test/accuracy"), Not(HasSubstr("step 20"))));
}

}  // namespace
}  // namespace attune
