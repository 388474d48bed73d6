#include "base/philox.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace attune {
namespace {

// kat_vectors of Random123 (Salmon et al. 2011), philox4x32 10.
TEST(Philox, GivesThePublishedVectors) {
  EXPECT_EQ(philox({0, 0, 0, 0}, 0),
            (PhiloxCounter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const std::uint32_t ones = 0xffffffff;
  EXPECT_EQ(philox({ones, ones, ones, ones}, 0xffffffffffffffff),
            (PhiloxCounter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0x299f31d0a4093822),
            (PhiloxCounter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, CanBeComputedByTheCompiler) {
  static_assert(philox({0, 0, 0, 0}, 0)[0] == 0x6627e8d5);
}

TEST(Stream, ItsKeyComesFromSeedPurposeAndName) {
  const Stream stream(3, "init", "token.weight");
  EXPECT_EQ(stream.key, hash64("3/init/token.weight"));
  EXPECT_EQ(stream.key, Stream(3, "init", "token.weight").key);
  EXPECT_NE(stream.key, Stream(4, "init", "token.weight").key);
  EXPECT_NE(stream.key, Stream(3, "dropout", "token.weight").key);
  EXPECT_NE(stream.key, Stream(3, "init", "patch.weight").key);
}

TEST(Stream, ElementsAreTheWordsOfConsecutiveCounters) {
  const Stream stream(7);
  for (std::uint64_t i : {0, 1, 2, 3, 4, 17, 1000}) {
    const auto words = philox({static_cast<std::uint32_t>(i / 4), 5, 6, 0}, 7);
    EXPECT_EQ(stream.uniform(i, 5, 6), (words[i % 4] + 0.5) * 0x1p-32);
    EXPECT_EQ(stream.below(100, i, 5, 6),
              static_cast<std::uint32_t>(std::uint64_t{words[i % 4]} * 100 >> 32));
  }
}

TEST(Stream, UniformDrawsAreInsideTheOpenIntervalAndFillItEvenly) {
  const Stream stream(11);
  constexpr int kDraws = 100'000, kBins = 20;
  int counts[kBins] = {};
  double total = 0;
  for (std::uint64_t i = 0; i < kDraws; ++i) {
    const double u = stream.uniform(i);
    ASSERT_GT(u, 0);
    ASSERT_LT(u, 1);
    ++counts[static_cast<int>(u * kBins)];
    total += u;
  }
  EXPECT_NEAR(total / kDraws, 0.5, 4 * std::sqrt(1.0 / 12 / kDraws));
  double chi2 = 0;
  constexpr double kExpected = double{kDraws} / kBins;
  for (int count : counts) chi2 += std::pow(count - kExpected, 2) / kExpected;
  EXPECT_LT(chi2, 45) << "19 degrees of freedom: 45 is beyond the 99.9 % quantile, 43.8";
}

TEST(Stream, BelowGivesEveryNumberAndNoneBeyond) {
  const Stream stream(13);
  std::set<std::uint32_t> seen;
  for (std::uint64_t i = 0; i < 1000; ++i) seen.insert(stream.below(7, i));
  EXPECT_EQ(seen, (std::set<std::uint32_t>{0, 1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(stream.below(1, 3), 0u);
}

}  // namespace
}  // namespace attune
