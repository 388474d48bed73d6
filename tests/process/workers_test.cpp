// Trials in worker processes: the same bytes, whatever happens to one of them.
#include <gmock/gmock.h>
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "base/json.h"
#include "tests/process/kills.h"
#include "tests/process/process.h"

namespace attune {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

void rest(double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); }

bool alive(int process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  const auto behind = text.rfind(") ");
  return behind != text.npos && text[behind + 2] != 'Z';
}

// Long enough to be met while it runs: four seeds.
Words long_run(const std::string& out, const Words& more = {}) {
  Words words = {
      "train.steps=500", "train.eval_every=250", "checkpoint.every=20", "seeds=0-3", "-j", "2"};
  words.insert(words.end(), more.begin(), more.end());
  return small_run(out, words);
}

// Waits until both workers train.
std::set<int> workers_at_work(const Started& run, const std::string& out) {
  std::set<int> workers;
  for (int i = 0; i < 2000; ++i) {
    workers = children_of(run.pid());
    if (workers.size() == 2 && files(out, "journal").size() >= 2) break;
    rest(0.01);
  }
  rest(0.3);
  return workers;
}

TEST(Workers, LeaveTheSameBytesForAnyNumberOfThem) {
  const TestFolder folder;
  ASSERT_EQ(run_attune(small_run(folder / "1", {"seeds=0-4", "-j", "1"})).code, 0);
  const auto one = run_file_bytes_in(folder / "1");
  EXPECT_THAT(one, SizeIs(5));
  for (const char* n : {"2", "3", "9"}) {
    const Finished run = run_attune(small_run(folder / n, {"seeds=0-4", "-j", n}));
    ASSERT_EQ(run.code, 0) << run.err;
    EXPECT_EQ(one, run_file_bytes_in(folder / n)) << n;
  }
}

TEST(Workers, OneThatIsKilledCostsItsTrialAlone) {
  const TestFolder folder;
  Started run(long_run(folder / "a"));
  const std::set<int> workers = workers_at_work(run, folder / "a");
  ASSERT_THAT(workers, SizeIs(2));
  kill(*workers.begin(), SIGKILL);
  ASSERT_TRUE(run.wait(120));
  EXPECT_EQ(run.code(), 3);  // some trials failed
  EXPECT_THAT(files(folder / "a", ".h5"), SizeIs(3));
  // What it had checkpointed is gone on with.
  const Finished again = run_attune(long_run(folder / "a"));
  EXPECT_EQ(again.code, 0) << again.err;
  ASSERT_EQ(run_attune(long_run(folder / "b", {"-q"})).code, 0);
  EXPECT_EQ(run_file_bytes_in(folder / "a"), run_file_bytes_in(folder / "b"));
}

TEST(Workers, TenKillsOfASweepChangeNoByte) {
  const KillReport report = kill_sweep_at_random(10, 7, 80);
  EXPECT_GE(2 * report.after_checkpoint, report.kills);
  EXPECT_GE(report.kills - report.of_parents, 3);
}

TEST(Workers, DieWithTheirParent) {
  const TestFolder folder;
  std::set<int> workers;
  {
    Started run(long_run(folder / "a"));
    workers = workers_at_work(run, folder / "a");
    ASSERT_THAT(workers, SizeIs(2));
    kill(run.pid(), SIGKILL);
    ASSERT_TRUE(run.wait(10));
  }
  const auto some_live = [&] { return std::any_of(workers.begin(), workers.end(), alive); };
  for (int i = 0; i < 200 && some_live(); ++i) rest(0.01);
  EXPECT_FALSE(some_live());
  EXPECT_EQ(run_attune(long_run(folder / "a")).code, 0);
  ASSERT_EQ(run_attune(long_run(folder / "b")).code, 0);
  EXPECT_EQ(run_file_bytes_in(folder / "a"), run_file_bytes_in(folder / "b"));
}

TEST(Workers, StopWithCheckpointsWhenTheParentIsAsked) {
  const TestFolder folder;
  for (const auto& [number, code] : {std::pair{SIGTERM, 143}, std::pair{SIGUSR1, 85}}) {
    Started run(long_run(folder / "a", {"checkpoint.every=100000"}));
    const std::set<int> workers = workers_at_work(run, folder / "a");
    kill(run.pid(), number);
    ASSERT_TRUE(run.wait(20));
    EXPECT_EQ(run.code(), code);
    EXPECT_FALSE(std::any_of(workers.begin(), workers.end(), alive));
    EXPECT_THAT(files(folder / "a", ".h5"), IsEmpty());
    std::size_t checkpoints = 0;  // of each trial that ran one
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder / "a"))
      checkpoints += entry.path().filename().string().starts_with("ckpt-");
    EXPECT_GE(checkpoints, 2U);
  }
  EXPECT_EQ(run_attune(long_run(folder / "a", {"checkpoint.every=100000"})).code, 0);
  ASSERT_EQ(run_attune(long_run(folder / "b", {"checkpoint.every=100000"})).code, 0);
  EXPECT_EQ(run_file_bytes_in(folder / "a"), run_file_bytes_in(folder / "b"));
}

TEST(Workers, StartersShareTheTrials) {
  const TestFolder folder;
  Started first(long_run(folder / "a")), second(long_run(folder / "a"));
  ASSERT_TRUE(first.wait(120));
  ASSERT_TRUE(second.wait(120));
  for (const Started* run : {&first, &second})
    EXPECT_THAT(run->code(), testing::AnyOf(0, 75));  // 75: all that waited was the other's
  ASSERT_EQ(run_attune(long_run(folder / "b")).code, 0);
  EXPECT_EQ(run_file_bytes_in(folder / "a"), run_file_bytes_in(folder / "b"));
}

TEST(Workers, WhatGoesWrongInOneIsToldAsEver) {
  const TestFolder folder;
  const Finished run =
      run_attune(small_run(folder / "a", {"seeds=0-3", "-j", "2", "optim={kind: sgd, lr: 100}",
                                          "numerics.nan=stop_study"}));
  EXPECT_EQ(run.code, 1) << run.err;
  EXPECT_THAT(run.err, HasSubstr("diverged, and numerics.nan is stop_study"));
  const Finished json = run_attune(small_run(folder / "b", {"seeds=0-2", "-j", "2", "--json"}));
  EXPECT_EQ(json.code, 0);
  EXPECT_EQ(*Json::parse(json.out, "out").find("trained")->integer(), 3);
  EXPECT_THAT(json.err, IsEmpty());
}

}  // namespace
}  // namespace attune
