#include "datasets/packer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "base/philox.h"

namespace attune {
namespace {

using testing::HasSubstr;

// Grids of CT slices under Pix2Struct's rule at 128 tokens: most are near the limit, some small.
std::vector<Index> ct_like_lengths(Index n) {
  const Stream stream(7, "test", "lengths");
  std::vector<Index> lengths;
  for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(n); ++i)
    lengths.push_back(stream.uniform(i, 0) < 0.8 ? 104 + stream.below(25, i, 1)
                                                 : 4 + stream.below(100, i, 2));
  return lengths;
}

std::vector<std::vector<Index>> listed(const BatchPlan& plan) {
  std::vector<std::vector<Index>> batches;
  for (Index b = 0; b < plan.size(); ++b) batches.emplace_back(plan[b].begin(), plan[b].end());
  return batches;
}

std::vector<Index> every_index(Index n) {
  std::vector<Index> all(static_cast<std::size_t>(n));
  std::iota(all.begin(), all.end(), Index{0});
  return all;
}

void expect_each_once(const BatchPlan& plan, Index n) {
  std::vector<Index> seen;
  for (const auto& batch : listed(plan)) {
    EXPECT_FALSE(batch.empty());
    seen.insert(seen.end(), batch.begin(), batch.end());
  }
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(seen, every_index(n));
}

TEST(Packer, EveryExampleStandsExactlyOnceInAnEpoch) {
  for (const Index n : {1, 2, 7, 100, 746}) {
    Packer by_tokens(ct_like_lengths(n), {.batch_tokens = 2048}, 3);
    Packer by_size(ct_like_lengths(n), {.batch_size = 8}, 3);
    for (Index epoch = 0; epoch < 5; ++epoch) {
      expect_each_once(by_tokens.epoch(epoch), n);
      expect_each_once(by_size.epoch(epoch), n);
    }
    expect_each_once(by_tokens.in_order(), n);
  }
}

TEST(Packer, NoBatchExceedsItsBudget) {
  const auto lengths = ct_like_lengths(746);
  for (const Index budget : {128, 200, 2048, 100000}) {
    Packer packer(lengths, {.batch_tokens = budget}, 0);
    for (Index epoch = 0; epoch < 3; ++epoch)
      for (const auto& batch : listed(packer.epoch(epoch))) {
        Index tokens = 0;
        for (Index i : batch) tokens += lengths[static_cast<std::size_t>(i)];
        EXPECT_LE(tokens, budget);
        EXPECT_LE(tokens, packer.max_tokens());
        EXPECT_LE(static_cast<Index>(batch.size()), packer.max_examples());
      }
  }
}

TEST(Packer, AFixedBatchSizeIsMetByAllButOneBatch) {
  Packer packer(ct_like_lengths(50), {.batch_size = 16}, 0);
  std::vector<std::size_t> sizes;
  for (const auto& batch : listed(packer.epoch(0))) sizes.push_back(batch.size());
  EXPECT_THAT(sizes, testing::UnorderedElementsAre(16, 16, 16, 2));
  EXPECT_EQ(packer.max_examples(), 16);
}

TEST(Packer, AnEpochIsAFunctionOfSeedAndNumberAlone) {
  const auto lengths = ct_like_lengths(300);
  Packer a(lengths, {.batch_tokens = 1024}, 5), b(lengths, {.batch_tokens = 1024}, 5);
  for (Index epoch = 0; epoch < 4; ++epoch) a.epoch(epoch);
  const auto third = listed(a.epoch(2));
  EXPECT_EQ(third, listed(b.epoch(2)));  // b never made epochs 0 and 1
  EXPECT_NE(third, listed(b.epoch(3)));
  Packer other(lengths, {.batch_tokens = 1024}, 6);
  EXPECT_NE(third, listed(other.epoch(2)));
}

// One window over the whole epoch would put the same long examples together every time.
TEST(Packer, TheSameExamplesDoNotMeetEveryEpoch) {
  Packer packer(ct_like_lengths(746), {.batch_tokens = 2048}, 0);
  const auto partner_of = [&](Index epoch) {
    for (const auto& batch : listed(packer.epoch(epoch)))
      if (std::find(batch.begin(), batch.end(), 0) != batch.end()) return batch;
    return std::vector<Index>{};
  };
  EXPECT_NE(partner_of(0), partner_of(1));
}

TEST(Packer, CtLikeLengthsFillOverNinetyPercent) {
  for (const Index budget : {1024, 2048, 4096}) {
    Packer packer(ct_like_lengths(746), {.batch_tokens = budget}, 0);
    for (Index epoch = 0; epoch < 5; ++epoch) {
      packer.epoch(epoch);
      EXPECT_GT(packer.efficiency(), 0.9) << budget;
    }
  }
}

TEST(Packer, AnExampleAboveTheBudgetIsNamedWithTheBudget) {
  try {
    const Packer packer({10, 300, 20}, {.batch_tokens = 128}, 0, "val");
    FAIL();
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("val example 1 has 300 tokens"));
    EXPECT_THAT(error.what(), HasSubstr("batch_tokens=128"));
  }
}

TEST(Packer, OneRuleIsAskedForNotTwo) {
  EXPECT_THROW(Packer({1}, {}, 0), ConfigError);
  EXPECT_THROW(Packer({1}, {.batch_tokens = 8, .batch_size = 1}, 0), ConfigError);
}

TEST(Packer, EvaluationKeepsTheExamplesOrder) {
  Packer packer({5, 5, 5, 9, 1}, {.batch_tokens = 10}, 0);
  const std::vector<std::vector<Index>> expected = {{0, 1}, {2}, {3, 4}};
  EXPECT_EQ(listed(packer.in_order()), expected);
}

TEST(BatchSequence, SeekingGivesWhatWalkingGives) {
  const auto walk = [](Index from, Index n) {
    BatchSequence batches(Packer(ct_like_lengths(60), {.batch_tokens = 1024}, 1));
    batches.seek(from);
    std::vector<std::vector<Index>> all;
    for (Index s = 0; s < n; ++s) {
      const auto batch = batches.next();
      all.emplace_back(batch.begin(), batch.end());
    }
    EXPECT_EQ(batches.step(), from + n);
    return all;
  };
  const auto whole = walk(0, 40);
  for (const Index from : {1, 6, 7, 14, 39}) {
    const std::vector<std::vector<Index>> rest(whole.begin() + from, whole.end());
    EXPECT_EQ(walk(from, 40 - from), rest) << from;
  }
}

TEST(BatchSequence, CountsEpochs) {
  BatchSequence batches(Packer({1, 1, 1, 1}, {.batch_size = 2}, 0));
  std::vector<Index> epochs;
  for (int s = 0; s < 5; ++s) {
    batches.next();
    epochs.push_back(batches.epoch());
  }
  EXPECT_EQ(epochs, (std::vector<Index>{0, 0, 1, 1, 2}));
}

TEST(BatchSequence, AnEmptySplitIsAnError) {
  EXPECT_THROW(BatchSequence(Packer({}, {.batch_tokens = 8}, 0)), DataError);
}

}  // namespace
}  // namespace attune
