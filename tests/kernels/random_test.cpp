#include "kernels/random.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <sstream>

#include "kernels/dropout.h"
#include "tests/reference/kernel_checks.h"

namespace attune::kernels {
namespace {

using testing::Array;

const Stream kStream(0, "init", "encoder.block0.attention.wq");

// docs/random.md shows ten lines of NumPy and what they print; here is the same page from our code.
TEST(Random, DrawsAreThoseOfTheDocumentedLines) {
  std::ostringstream ours;
  ours << fmt::format("{:#018x}\n", kStream.key);
  for (std::uint64_t i = 0; i < 4; ++i) {
    ours << fmt::format("{:.17g}{}", kStream.uniform(i), i < 3 ? " " : "\n");
  }
  for (std::uint64_t i = 0; i < 4; ++i) {
    ours << fmt::format("{:.12f}{}", normal(kStream, i), i < 3 ? " " : "\n");
  }
  const DropoutOptions options{
      .p = 0.3, .stream_key = Stream(0, "dropout", "encoder.block0").key, .step = 17};
  const auto example = testing::ids({7}), token = testing::ids({2});
  const Array<float> ones({1, 70}, 1);
  Array<float> y({1, 70});
  dropout(options, testing::in(example), testing::in(token), testing::in(ones), y.view());
  for (Index j = 0; j < 70; ++j) ours << (y[j] == 0 ? '0' : '1');

  std::ifstream file(ATTUNE_SOURCE_DIR "/docs/random.md");
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  EXPECT_THAT(page, ::testing::HasSubstr("```\n" + ours.str() + "\n```"));
}

TEST(Random, FillingGivesTheBitsOfSingleDraws) {
  for (Index n : {1, 2, 7, 16, 33, 5001}) {
    Array<double> gaussian({n}), uniform({n});
    Array<float> narrow({n});
    fill_normal(kStream, 0.02, gaussian.view());
    fill_normal(kStream, 0.02, narrow.view());
    fill_uniform(kStream, -0.5, 1.5, uniform.view());
    for (Index i = 0; i < n; ++i) {
      const auto at = static_cast<std::uint64_t>(i);
      ASSERT_EQ(gaussian[i], 0.02 * normal(kStream, at)) << i;
      ASSERT_EQ(narrow[i], static_cast<float>(gaussian[i]));
      ASSERT_EQ(uniform[i], -0.5 + 2 * kStream.uniform(at));
    }
  }
}

TEST(Random, NormalDrawsHaveTheMomentsOfTheNormalDistribution) {
  const Index n = 200'000;
  Array<double> x({n});
  fill_normal(kStream, 1, x.view());
  double moments[4] = {};
  int beyond2 = 0;
  for (Index i = 0; i < n; ++i) {
    for (int k = 0; k < 4; ++k) moments[k] += std::pow(x[i], k + 1) / static_cast<double>(n);
    beyond2 += std::fabs(x[i]) > 2;
  }
  const double root = std::sqrt(static_cast<double>(n));
  // 4 σ each: the k-th moment's variance is that of x^k, 1, 2, 15 and 96.
  EXPECT_NEAR(moments[0], 0, 4 / root);
  EXPECT_NEAR(moments[1], 1, 4 * std::sqrt(2.0) / root);
  EXPECT_NEAR(moments[2], 0, 4 * std::sqrt(15.0) / root);
  EXPECT_NEAR(moments[3], 3, 4 * std::sqrt(96.0) / root);
  EXPECT_NEAR(beyond2 / static_cast<double>(n), std::erfc(std::sqrt(2.0)), 4 * 0.21 / root);
}

TEST(Random, NeighboursAreNotCorrelated) {
  const Index n = 100'000;
  Array<double> x({n});
  fill_normal(kStream, 1, x.view());
  for (Index lag : {1, 2, 4}) {
    double product = 0;
    for (Index i = 0; i + lag < n; ++i) product += x[i] * x[i + lag];
    EXPECT_NEAR(product / static_cast<double>(n), 0, 4 / std::sqrt(static_cast<double>(n)));
  }
}

TEST(Random, BitsDoNotDependOnThreads) {
  testing::expect_same_on_threads<float>({"fill_normal", "fill_uniform"}, [&] {
    Array<float> x({20'001}), y({20'001});
    fill_normal(kStream, 0.02, x.view());
    fill_uniform(kStream, -1, 1, y.view());
    return std::vector{x, y};
  });
}

}  // namespace
}  // namespace attune::kernels
