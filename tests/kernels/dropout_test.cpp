#include "kernels/dropout.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "kernels/packed_rows.h"
#include "tests/reference/dropout_reference.h"
#include "tests/reference/kernel_checks.h"

namespace attune::kernels {
namespace {

using testing::Array;
using testing::Ids;
using testing::in;
using testing::same_bits;

// A pack of examples and where its rows stand.
struct Pack {
  Pack(const std::vector<std::int32_t>& lengths, const std::vector<std::int32_t>& names) {
    std::vector<std::int32_t> e, t;
    for (std::size_t i = 0; i < lengths.size(); ++i) {
      for (std::int32_t j = 0; j < lengths[i]; ++j) {
        e.push_back(names[i]);
        t.push_back(j);
      }
    }
    example = testing::ids(e);
    token = testing::ids(t);
  }
  Index n() const { return example.size(); }
  Ids example{{0}}, token{{0}};
};

template <class Real>
class Dropout : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Dropout, Reals);

const DropoutOptions kOptions{.p = 0.3, .stream_key = 0x0123456789abcdef, .step = 17};

TYPED_TEST(Dropout, EveryElementFollowsTheDefinitionOfTheMask) {
  const Pack pack({3, 0, 1, 5}, {7, 8, 900000, 2});
  const double keep = kOptions.keep_scale();
  EXPECT_NEAR(keep, 1 / 0.7, 1e-4);
  for (Index d : {1, 5, 16, 33, 63, 64, 65, 200}) {
    const auto x = Array<TypeParam>::random({pack.n(), d}, 1);
    Array<TypeParam> y({pack.n(), d});
    dropout(kOptions, in(pack.example), in(pack.token), in(x), y.view());
    for (Index i = 0; i < pack.n(); ++i) {
      for (Index j = 0; j < d; ++j) {
        const bool kept = testing::kept(
            kOptions.stream_key, kOptions.p, 0, static_cast<std::uint32_t>(pack.token[i]),
            static_cast<std::uint32_t>(j), static_cast<std::uint32_t>(pack.example[i]), 17);
        const TypeParam scaled = x[i * d + j] * static_cast<TypeParam>(keep);
        ASSERT_EQ(y[i * d + j], kept ? scaled : TypeParam(0)) << "row " << i << " column " << j;
      }
    }
  }
}

TYPED_TEST(Dropout, TheMaskDoesNotKnowThePack) {
  const Index d = 37;
  const auto x = Array<TypeParam>::random({9, d}, 2);
  const Pack alone({4}, {11}), packed({3, 4, 2}, {5, 11, 6});
  Array<TypeParam> y({9, d}), y_alone({4, d});
  const auto x_alone = testing::rows_of(x, 3, 7);
  dropout(kOptions, in(packed.example), in(packed.token), in(x), y.view());
  dropout(kOptions, in(alone.example), in(alone.token), in(x_alone), y_alone.view());
  EXPECT_TRUE(same_bits(testing::rows_of(y, 3, 7), y_alone));
}

TYPED_TEST(Dropout, StepsExamplesTokensAndStreamsDrawApart) {
  const Index d = 256;
  const Array<TypeParam> x({1, d}, 1);
  const auto draw = [&](DropoutOptions options, std::int32_t example, std::int32_t token) {
    const Ids e = testing::ids({example}), t = testing::ids({token});
    Array<TypeParam> y({1, d});
    dropout(options, in(e), in(t), in(x), y.view());
    return y;
  };
  const auto first = draw(kOptions, 1, 2);
  EXPECT_TRUE(same_bits(first, draw(kOptions, 1, 2)));
  EXPECT_FALSE(same_bits(first, draw(kOptions, 2, 2)));
  EXPECT_FALSE(same_bits(first, draw(kOptions, 1, 3)));
  DropoutOptions other = kOptions;
  other.step = 18;
  EXPECT_FALSE(same_bits(first, draw(other, 1, 2)));
  other = kOptions;
  other.stream_key += 1;
  EXPECT_FALSE(same_bits(first, draw(other, 1, 2)));
}

// Defect A of tiny-dnn: it keeps with the probability of dropping.
TYPED_TEST(Dropout, DropsAtItsRateAndKeepsTheMean) {
  const Index n = 400, d = 250;
  const Pack pack({100, 300}, {1, 2});
  const Array<TypeParam> x({n, d}, 1);
  for (double p : {0.1, 0.5, 0.9}) {
    DropoutOptions options = kOptions;
    options.p = p;
    Array<TypeParam> y({n, d});
    dropout(options, in(pack.example), in(pack.token), in(x), y.view());
    double dropped = 0, total = 0;
    for (Index i = 0; i < n * d; ++i) {
      dropped += y[i] == 0;
      total += static_cast<double>(y[i]);
    }
    const double count = static_cast<double>(n * d), sigma = std::sqrt(p * (1 - p) / count);
    EXPECT_NEAR(dropped / count, p, 4 * sigma);
    EXPECT_NEAR(total / count, 1, 4 * sigma / (1 - p));
  }
}

TYPED_TEST(Dropout, ADroppedElementIsZeroEvenWhereTheInputIsNan) {
  const Pack pack({2}, {3});
  const Array<TypeParam> x({2, 70}, std::numeric_limits<TypeParam>::quiet_NaN());
  Array<TypeParam> y({2, 70});
  dropout(kOptions, in(pack.example), in(pack.token), in(x), y.view());
  int zeros = 0, nans = 0;
  for (Index i = 0; i < y.size(); ++i) {
    zeros += y[i] == 0;
    nans += std::isnan(y[i]);
  }
  EXPECT_GT(zeros, 0);
  EXPECT_GT(nans, 0);
  EXPECT_EQ(zeros + nans, 140);
}

TYPED_TEST(Dropout, WithoutProbabilityItCopiesAndAsksForNoCoordinates) {
  const auto x = Array<TypeParam>::random({3, 5}, 4), branch = Array<TypeParam>::random({3, 5}, 5);
  Array<TypeParam> y({3, 5}), sum({3, 5});
  dropout({}, {}, {}, in(x), y.view());
  EXPECT_TRUE(same_bits(x, y));
  dropout_residual({}, {}, {}, in(x), in(branch), sum.view());
  for (Index i = 0; i < 15; ++i) EXPECT_EQ(sum[i], x[i] + branch[i]);
}

TYPED_TEST(Dropout, TheResidualIsTheSumOfInputAndDroppedBranch) {
  const Pack pack({3, 6}, {1, 9});
  const Index n = 9, d = 45;
  const auto x = Array<TypeParam>::random({n, d}, 6), branch = Array<TypeParam>::random({n, d}, 7);
  Array<TypeParam> dropped({n, d}), y({n, d});
  dropout(kOptions, in(pack.example), in(pack.token), in(branch), dropped.view());
  dropout_residual(kOptions, in(pack.example), in(pack.token), in(x), in(branch), y.view());
  const double ulp = static_cast<double>(std::numeric_limits<TypeParam>::epsilon());
  for (Index i = 0; i < n * d; ++i) {
    EXPECT_NEAR(y[i], x[i] + dropped[i], 3 * ulp);
    if (dropped[i] == 0) {
      EXPECT_EQ(y[i], x[i]);
    }
  }
}

TEST(DropoutOfDoubles, GradientsMatchCentralDifferences) {
  for (const auto& lengths :
       std::vector<std::vector<std::int32_t>>{{4}, {3, 0, 2}, {7, 1}, {0, 5}, {2, 2, 2}}) {
    const Pack pack(lengths, {4, 5, 6});
    for (Index d : {7, 65}) {
      const Index n = pack.n();
      auto x = Array<double>::random({n, d}, 1), branch = Array<double>::random({n, d}, 2);
      const auto dy = Array<double>::random({n, d}, 3);
      Array<double> dx({n, d}, 1), dbranch({n, d}, 2), dplain({n, d});
      dropout_residual_backward(kOptions, in(pack.example), in(pack.token), in(dy), dx.view(),
                                dbranch.view());
      dropout_backward(kOptions, in(pack.example), in(pack.token), in(dy), dplain.view());
      for (Index i = 0; i < n * d; ++i) {
        dx[i] -= 1;  // backward adds
        dbranch[i] -= 2;
      }
      Array<double> y({n, d});
      const auto residual = [&] {
        dropout_residual(kOptions, in(pack.example), in(pack.token), in(x), in(branch), y.view());
        return testing::dot(y, dy);
      };
      testing::expect_gradient("x", x, dx, residual);
      testing::expect_gradient("branch", branch, dbranch, residual);
      testing::expect_gradient("x of dropout", x, dplain, [&] {
        dropout(kOptions, in(pack.example), in(pack.token), in(x), y.view());
        return testing::dot(y, dy);
      });
    }
  }
}

TYPED_TEST(Dropout, BitsDoNotDependOnThreads) {
  const Pack pack({500, 501}, {1, 2});
  const auto x = Array<TypeParam>::random({1001, 67}, 1);
  testing::expect_same_on_threads<TypeParam>(
      {"dropout", "dropout_backward", "dropout_residual", "accumulate"}, [&] {
        Array<TypeParam> y({1001, 67}), sum({1001, 67}), dx({1001, 67}), dbranch({1001, 67});
        for (int repeat = 0; repeat < 2; ++repeat) {
          dropout(kOptions, in(pack.example), in(pack.token), in(x), y.view());
          dropout_residual(kOptions, in(pack.example), in(pack.token), in(x), in(y), sum.view());
          dropout_residual_backward(kOptions, in(pack.example), in(pack.token), in(sum), dx.view(),
                                    dbranch.view());
        }
        return std::vector{y, sum, dx, dbranch};
      });
}

TEST(DropoutOfDoubles, AProbabilityThatKeepsNothingIsRefused) {
  for (double p : {-0.1, 1.0, 1 - 0x1p-18, std::nan("")}) {
    EXPECT_THROW((DropoutOptions{.p = p}.threshold()), ConfigError) << p;
  }
  EXPECT_EQ(DropoutOptions{.p = 1 - 0x1p-16}.threshold(), 65535u);
  EXPECT_EQ(DropoutOptions{.p = 0.5}.threshold(), 32768u);
  EXPECT_EQ(DropoutOptions{.p = 0.5}.keep_scale(), 2.0);
}

TEST(DropoutOfDoubles, OperandsThatDoNotFitAreNamed) {
  const Pack pack({3}, {1});
  const Array<float> x({4, 5});
  Array<float> y({4, 5}), narrow({4, 4});
  try {
    dropout(kOptions, in(pack.example), in(pack.token), in(x), y.view());
    FAIL();
  } catch (const ShapeError& e) {
    EXPECT_THAT(e.what(), ::testing::HasSubstr("example is [3], but must be [4]"));
  }
  EXPECT_THROW(dropout({}, {}, {}, in(x), narrow.view()), ShapeError);
}

}  // namespace
}  // namespace attune::kernels
