#include "kernels/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <limits>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

namespace attune::kernels {
namespace {

constexpr double kWorthSplitting = 1e9;  // ns

TEST(Parallel, EveryBlockRunsOnce) {
  for (const int count : {1, 2, 4}) {
    Threads threads(count);
    std::vector<std::atomic<int>> runs(1000);
    threads.run([&] {
      parallel_for("loop", 1000, kWorthSplitting,
                   [&](Index b) { ++runs[static_cast<std::size_t>(b)]; });
    });
    for (const auto& n : runs) ASSERT_EQ(n, 1);
    EXPECT_EQ(threads.splits().count("loop"), count > 1 ? 1U : 0U);
  }
}

TEST(Parallel, RangesCoverAllElementsWithAShorterLastOne) {
  std::vector<std::pair<Index, Index>> ranges;
  parallel_ranges("loop", 10, 4, 0,
                  [&](Index begin, Index end) { ranges.emplace_back(begin, end); });
  EXPECT_EQ(ranges, (std::vector<std::pair<Index, Index>>{{0, 4}, {4, 8}, {8, 10}}));
  parallel_ranges("loop", 0, 4, 0, [&](Index, Index) { FAIL(); });
}

TEST(Parallel, SplitsAreCountedByNameAndOnlyAboveTheGrain) {
  Threads threads(2);
  threads.run([&] {
    for (int i = 0; i < 3; ++i) parallel_for("large", 8, kSerialGrain, [](Index) {});
    parallel_for("small", 8, kSerialGrain / 2, [](Index) {});
    parallel_for("one block", 1, kWorthSplitting, [](Index) {});
  });
  EXPECT_EQ(threads.splits().size(), 1U);
  EXPECT_EQ(threads.splits().find("large")->second, 3);
}

TEST(Parallel, SerialLoopsStayOnTheCallersThreadInOrder) {
  const auto caller = std::this_thread::get_id();
  std::vector<Index> order;
  parallel_for("loop", 5, kWorthSplitting, [&](Index b) {
    EXPECT_EQ(std::this_thread::get_id(), caller);
    order.push_back(b);
  });
  EXPECT_EQ(order, (std::vector<Index>{0, 1, 2, 3, 4}));
}

TEST(Parallel, LoopsDoNotNest) {
  Threads threads(4);
  std::atomic<int> runs = 0;
  threads.run([&] {
    parallel_for("outer", 8, kWorthSplitting, [&](Index) {
      const auto thread = std::this_thread::get_id();
      parallel_for("inner", 8, kWorthSplitting, [&](Index) {
        EXPECT_EQ(std::this_thread::get_id(), thread);
        ++runs;
      });
    });
    parallel_for("after", 8, kWorthSplitting, [](Index) {});
  });
  EXPECT_EQ(runs, 64);
  EXPECT_EQ(threads.splits().count("inner"), 0U);
  EXPECT_EQ(threads.splits().count("after"), 1U);
}

TEST(Parallel, TwoThreadsObjectsLiveSideBySide) {
  Threads one(1), two(2);
  two.run([&] {
    parallel_for("a", 8, kWorthSplitting, [](Index) {});
    one.run([&] { parallel_for("b", 8, kWorthSplitting, [](Index) {}); });
    parallel_for("c", 8, kWorthSplitting, [](Index) {});
  });
  EXPECT_TRUE(one.splits().empty());
  EXPECT_EQ(two.splits().size(), 2U);
}

TEST(Parallel, ARunWithinARunOfTheSameThreadsSharesThem) {
  Threads threads(4);
  std::atomic<int> runs = 0;
  threads.run([&] {
    threads.run([&] { parallel_for("inner", 8, kWorthSplitting, [&](Index) { ++runs; }); });
    parallel_for("after", 8, kWorthSplitting, [&](Index) { ++runs; });
  });
  EXPECT_EQ(runs, 16);
  EXPECT_EQ(threads.splits().size(), 2U);
}

// Runs so short that no member comes in time.
TEST(Parallel, RunsMayEndBeforeTheirThreadsCome) {
  Threads threads(4);
  int runs = 0;
  for (int i = 0; i < 5000; ++i) threads.run([&] { ++runs; });
  EXPECT_EQ(runs, 5000);
}

TEST(Parallel, AnExceptionReachesTheCallerAndTheThreadsStayUsable) {
  for (const int count : {1, 2}) {
    Threads threads(count);
    const auto fail = [&] {
      threads.run([&] {
        parallel_for("loop", 64, kWorthSplitting, [](Index b) {
          if (b == 13) throw ShapeError("block 13");
        });
      });
    };
    EXPECT_THROW(fail(), ShapeError);
    std::atomic<int> runs = 0;
    threads.run([&] { parallel_for("loop", 64, kWorthSplitting, [&](Index) { ++runs; }); });
    EXPECT_EQ(runs, 64);
  }
}

// A thread prepares once for all its blocks, whoever gets how many.
TEST(Parallel, SharesArePreparedOncePerThread) {
  for (const int count : {1, 2, 4}) {
    Threads threads(count);
    threads.run([&] {
      for (int loop = 0; loop < 200; ++loop) {
        std::atomic<int> prepared = 0, done = 0;
        parallel_shares("loop", 37, kWorthSplitting, [&](Blocks& blocks) {
          ++prepared;
          int own = 0;
          for (Index block = 0; blocks.next(block);) ++own;
          EXPECT_GT(own, 0);
          done += own;
        });
        EXPECT_EQ(done, 37);
        EXPECT_TRUE(prepared >= 1 && prepared <= count) << prepared;
      }
    });
  }
}

// What a thread prepared, and what the caller has, may be used until the last block is over.
TEST(Parallel, NothingOfALoopOutlivesIt) {
  Threads threads(4);
  threads.run([&] {
    for (int loop = 0; loop < 2000; ++loop) {
      std::atomic<bool> over = false;
      parallel_shares("loop", 3, kWorthSplitting, [&](Blocks& blocks) {
        for (Index block = 0; blocks.next(block);) EXPECT_FALSE(over);
        EXPECT_FALSE(over);
      });
      over = true;
    }
  });
}

TEST(Parallel, MillionsOfBlocksRunOnce) {
  constexpr Index kMany = 3'000'000;
  std::vector<std::uint8_t> runs(kMany);
  Threads threads(2);
  threads.run([&] {
    parallel_for("loop", kMany, kWorthSplitting,
                 [&](Index b) { ++runs[static_cast<std::size_t>(b)]; });
  });
  for (const auto n : runs) ASSERT_EQ(n, 1);
}

TEST(Parallel, WhatIsThrownWhilePreparingReachesTheCaller) {
  Threads threads(2);
  threads.run([&] {
    EXPECT_THROW(parallel_shares("loop", 8, kWorthSplitting,
                                 [](Blocks&) { throw ShapeError("nothing is prepared"); }),
                 ShapeError);
    std::atomic<int> runs = 0;
    parallel_for("after", 8, kWorthSplitting, [&](Index) { ++runs; });
    EXPECT_EQ(runs, 8);
  });
}

// Members that slept come back, and a run after a run has its threads again.
TEST(Parallel, ThreadsComeBackAfterAPause) {
  Threads threads(2);
  for (int round = 0; round < 3; ++round) {
    threads.run([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(30));
      std::set<std::thread::id> seen;
      std::atomic<int> inside = 0;
      std::mutex mutex;
      const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
      parallel_for("loop", 2, kWorthSplitting, [&](Index) {
        ++inside;
        while (inside < 2 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
        const std::lock_guard lock(mutex);
        seen.insert(std::this_thread::get_id());
      });
      EXPECT_EQ(seen.size(), 2U);
    });
  }
}

TEST(Parallel, NoThreadsAreAConfigError) { EXPECT_THROW(Threads(0), ConfigError); }

float halved(float x) {
  const volatile float y = x;  // at run time, not by the compiler
  return y * 0.5F;
}

TEST(Parallel, SubnormalsAreFlushedInBlocksAndNowhereElse) {
  const float smallest = std::numeric_limits<float>::min();
  std::atomic<int> kept = 0;
  const auto count = [&](Index) { kept += halved(smallest) != 0; };
  parallel_for("serial", 4, 0, count);
  EXPECT_NE(halved(smallest), 0);
  Threads threads(4);
  threads.run([&] {
    EXPECT_EQ(halved(smallest), 0);
    parallel_for("split", 1000, kWorthSplitting, count);
  });
  EXPECT_NE(halved(smallest), 0);
  EXPECT_EQ(kept, 0);
}

// What the bit tests of every kernel rely on: a sum in order of arrival differs from the serial
// one. Block 0 waits for two others: 3 + 3 is seen beside 1e8, while a 3 added to it alone is lost.
TEST(Parallel, APlantedUnorderedSumIsCaught) {
  const std::vector<float> terms{1e8F, 3, 3, 3, 3, 3, 3, 3};
  const auto unordered_sum = [&](Threads* threads) {
    std::atomic<float> sum = 0;
    std::atomic<int> added = 0;
    const auto loop = [&] {
      parallel_for("unordered", 8, kWorthSplitting, [&](Index b) {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        while (threads != nullptr && b == 0 && added < 2 &&
               std::chrono::steady_clock::now() < deadline) {
          std::this_thread::yield();
        }
        sum = sum + terms[static_cast<std::size_t>(b)];
        ++added;
      });
    };
    threads == nullptr ? loop() : threads->run(loop);
    return sum.load();
  };
  Threads threads(2);
  const float serial = unordered_sum(nullptr), parallel = unordered_sum(&threads);
  EXPECT_NE(0, std::memcmp(&serial, &parallel, sizeof(float))) << serial << " and " << parallel;
}

}  // namespace
}  // namespace attune::kernels
