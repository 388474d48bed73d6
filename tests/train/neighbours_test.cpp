#include "train/neighbours.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/philox.h"
#include "kernels/parallel.h"

namespace attune {
namespace {

Features random_features(std::uint64_t seed, Index n, Index d) {
  const Stream s(seed, "test", "features");
  Features x{n, d, {}};
  for (Index v = 0; v < n * d; ++v) x.values.push_back(s.uniform(static_cast<std::uint64_t>(v)));
  return x;
}

// Rank every training example by distance; count.
TEST(Neighbours, VoteAsBruteForceSays) {
  const Features train = random_features(1, 60, 5), x = random_features(2, 20, 5);
  std::vector<std::int32_t> target;
  const Stream s(3, "test", "labels");
  for (std::uint64_t i = 0; i < 60; ++i) target.push_back(static_cast<std::int32_t>(s.below(3, i)));
  for (const Index k : {1, 3, 60}) {
    const std::vector<float> logits = nearest_neighbours(train, target, 3, k, x);
    for (Index i = 0; i < x.n; ++i) {
      std::vector<std::pair<double, std::int32_t>> ranked;
      for (Index t = 0; t < train.n; ++t) {
        double squares = 0;
        for (Index j = 0; j < x.d; ++j) squares += std::pow(train.column(j)[t] - x.column(j)[i], 2);
        ranked.emplace_back(std::sqrt(squares), target[static_cast<std::size_t>(t)]);
      }
      std::sort(ranked.begin(), ranked.end());
      for (std::int32_t c = 0; c < 3; ++c) {
        const auto votes = std::count_if(ranked.begin(), ranked.begin() + k,
                                         [c](const auto& r) { return r.second == c; });
        const double expected =
            std::log((static_cast<double>(votes) + 1) / static_cast<double>(k + 3));
        EXPECT_NEAR(logits[static_cast<std::size_t>(3 * i + c)], expected, 1e-6);
      }
    }
  }
}

TEST(Neighbours, OfEqualVotesTheNearerInSumWin) {
  const Features train{4, 1, {0, 10, 4, 5}};
  const std::vector<std::int32_t> target = {0, 0, 1, 1};
  // At 4.6: |0.6| + |0.4| against 4.6 + 5.4, two votes each.
  std::vector<float> z = nearest_neighbours(train, target, 2, 4, {1, 1, {4.6}});
  EXPECT_GT(z[1], z[0]);
  EXPECT_FLOAT_EQ(z[0], z[1]);
  EXPECT_FLOAT_EQ(z[0], std::log(0.5F));
  z = nearest_neighbours(train, {std::vector<std::int32_t>{1, 1, 0, 0}}, 2, 4, {1, 1, {4.6}});
  EXPECT_GT(z[0], z[1]);
}

TEST(Neighbours, OfEqualDistancesTheFirstCount) {
  const Features train{3, 1, {1, -1, 1}};
  const std::vector<float> z =
      nearest_neighbours(train, std::vector<std::int32_t>{0, 1, 1}, 2, 1, {1, 1, {0}});
  EXPECT_GT(z[0], z[1]);
}

TEST(Neighbours, GiveTheSameBitsForAnyThreads) {
  const Features train = random_features(4, 300, 50), x = random_features(5, 100, 50);
  std::vector<std::int32_t> target;
  for (Index i = 0; i < 300; ++i) target.push_back(static_cast<std::int32_t>(i % 2));
  const std::vector<float> one = nearest_neighbours(train, target, 2, 3, x);
  kernels::Threads threads(3);
  std::vector<float> three;
  threads.run([&] { three = nearest_neighbours(train, target, 2, 3, x); });
  EXPECT_EQ(threads.splits().count("nearest_neighbours"), 1U);
  EXPECT_EQ(one, three);
}

TEST(Neighbours, MoreThanThereAreIsAnError) {
  const Features train = random_features(6, 2, 1);
  EXPECT_THROW(nearest_neighbours(train, std::vector<std::int32_t>{0, 1}, 2, 3, train), DataError);
}

}  // namespace
}  // namespace attune
