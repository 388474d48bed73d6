#include "tests/process/kills.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <iterator>

#include "base/files.h"
#include "base/json.h"
#include "base/philox.h"

namespace attune {
namespace {

constexpr Index kSteps = 600, kEvery = 7;
constexpr Index kSweepTrials = 4;

Index executed_steps(const std::string& folder) {
  Index sum = 0;
  for (const std::string& path : files(folder, ".meta.json"))
    sum += *Json::parse(read_file(path), path).find("executed_steps")->integer();
  return sum;
}

// Of any trial that runs, or of the one that process `owner` holds.
bool has_checkpoint(const std::string& study, int owner = 0) {
  for (const std::string& path : files(study + "/running", "")) {
    const auto at = path.find("/ckpt-");
    if (at == std::string::npos) continue;
    const auto held = FileLock::owner(path.substr(0, at) + "/lock");
    if (owner == 0 || (held && held->pid == owner)) return true;
  }
  return false;
}

}  // namespace

Words small_run(const std::string& out, const Words& more) {
  Words words = {"run",
                 quickstart(),
                 "-q",
                 "-o",
                 out,
                 "data.n_train=96",
                 "data.n_val=24",
                 "data.n_test=24",
                 "train.steps=60",
                 "train.eval_every=20",
                 "checkpoint.every=7",
                 "model.dropout=0.1",
                 "model.attention.dropout=0.1",
                 "data.augment.flip=true",
                 "data.augment.shift=0.1",
                 "probes.gradient_norms.every=10",
                 "probes.update_ratios.every=10",
                 "probes.attention_entropy.every=9",
                 "probes.attention_maps.steps=[first, 20, last]",
                 "results.save_parameters=[chosen, initial, 30]",
                 "seeds=[0, 1]"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

Words small_sweep(const TestFolder& folder, const std::string& out, const Words& more) {
  const std::string path = folder / "small_sweep.yaml";
  write_atomically(path, "schema: attune/sweep@1\nname: small\nbase: " + quickstart() +
                             "\nmethod: grid\nparameters:\n"
                             "  optim.lr: {values: [1.0e-3, 3.0e-3]}\n");
  Words words = small_run(folder / out, more);
  words[1] = path;
  return words;
}

KillReport kill_sweep_at_random(Index kills, std::uint64_t seed, Index steps) {
  const TestFolder folder;
  const Words more = {"train.steps=" + std::to_string(steps), "-j", "2"};
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(run_attune(small_sweep(folder, "whole", more)).code, 0);
  const std::chrono::duration<double> whole_run = std::chrono::steady_clock::now() - began;
  const double latest = std::max(0.25, 0.4 * whole_run.count());
  const Stream draw(seed, "test", "kill a sweep");
  KillReport report;
  std::vector<std::string> rounds = {"round0"};
  std::uint32_t starts = 0;
  while (report.kills < kills) {
    const std::string study = folder / (rounds.back() + "/small");
    Started run(small_sweep(folder, rounds.back(), more));
    ++starts;
    while (report.kills < kills) {
      const auto i = static_cast<std::uint64_t>(report.kills);
      if (run.wait(0.02 + (latest - 0.02) * draw.uniform(i, starts))) break;
      const std::set<int> workers = children_of(run.pid());
      const bool parent = workers.empty() || draw.uniform(i, starts, 1) < 0.25;
      const int victim =
          parent ? run.pid()
                 : *std::next(workers.begin(),
                              draw.below(static_cast<std::uint32_t>(workers.size()), i, starts, 2));
      ::kill(victim, SIGKILL);
      report.kills += 1;
      report.of_parents += parent;
      report.after_checkpoint += has_checkpoint(study, parent ? 0 : victim);
      if (parent) {
        EXPECT_TRUE(run.wait(10));
        break;
      }
    }
    EXPECT_TRUE(run.wait(120));
    if (run.code() == 0) rounds.push_back("round" + std::to_string(rounds.size()));
  }
  const auto whole = run_file_bytes_in(folder / "whole");
  EXPECT_THAT(whole, testing::SizeIs(kSweepTrials));
  Index executed = 0;
  for (const std::string& round : rounds) {
    EXPECT_EQ(run_attune(small_sweep(folder, round, more)).code, 0);
    EXPECT_EQ(whole, run_file_bytes_in(folder / round));
    EXPECT_THAT(files(folder / (round + "/small/running"), ""), testing::IsEmpty());
    EXPECT_EQ(run_attune({"fsck", folder / (round + "/small")}).code, 0);
    executed += executed_steps(folder / round);
  }
  const auto n_rounds = static_cast<Index>(rounds.size());
  EXPECT_GE(executed, n_rounds * kSweepTrials * steps);
  // A killed parent takes two workers with it.
  EXPECT_LE(executed,
            n_rounds * kSweepTrials * steps + (report.kills + report.of_parents) * kEvery);
  return report;
}

KillReport kill_at_random(Index kills, std::uint64_t seed) {
  const TestFolder folder;
  const Words more = {"train.steps=" + std::to_string(kSteps), "seeds=[0]"};
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(run_attune(small_run(folder / "whole", more)).code, 0);
  const std::chrono::duration<double> whole_run = std::chrono::steady_clock::now() - began;
  // On a busy machine a run takes longer to begin, too.
  const double latest = std::max(0.18, 0.5 * whole_run.count());
  const Stream draw(seed, "test", "kill");
  KillReport report;
  std::vector<std::string> rounds = {folder / "round0"};
  while (report.kills < kills) {
    Started run(small_run(rounds.back(), more));
    const auto i = static_cast<std::uint64_t>(report.kills);
    if (run.wait(0.03 +
                 (latest - 0.03) * draw.uniform(i, static_cast<std::uint32_t>(rounds.size())))) {
      EXPECT_EQ(run.code(), 0);  // it finished between two kills: a new study goes on
      rounds.push_back(folder / ("round" + std::to_string(rounds.size())));
      continue;
    }
    run.signal(SIGKILL);
    EXPECT_TRUE(run.wait(10));
    report.kills += 1;
    report.after_checkpoint += has_checkpoint(rounds.back() + "/quickstart");
  }
  const auto whole = run_file_bytes_in(folder / "whole");
  for (const std::string& round : rounds) {
    EXPECT_EQ(run_attune(small_run(round, more)).code, 0);
    EXPECT_EQ(whole, run_file_bytes_in(round));
    EXPECT_GE(executed_steps(round), kSteps);
    EXPECT_LE(executed_steps(round), kSteps + kills * kEvery);
    EXPECT_THAT(files(round + "/quickstart/running", ""), testing::IsEmpty());
  }
  return report;
}

}  // namespace attune
