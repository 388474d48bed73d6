#include "kernels/pooling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/reference/kernel_checks.h"

namespace attune::kernels {
namespace {

using testing::Array;
using testing::Ids;
using testing::in;
using testing::same_bits;
using testing::widened;

const std::vector<std::vector<std::int32_t>> kPacks = {{0, 1},  {0, 3, 3, 4},   {0, 0, 7},
                                                       {0, 20}, {0, 2, 35, 36}, {0, 0}};

template <class Real>
class Pooling : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Pooling, Reals);

// Of example e: the weight each of its rows has in the pooled row.
enum class Kind { mean, sum, first, attention };
const std::vector<Kind> kKinds = {Kind::mean, Kind::sum, Kind::first, Kind::attention};
Array<double> weights_of(Kind kind, const Ids& offsets, const Array<double>& scores) {
  Array<double> w(scores.shape());
  for (Index e = 0; e + 1 < offsets.size(); ++e) {
    double total = 0;
    for (Index i = offsets[e]; i < offsets[e + 1]; ++i) total += std::exp(scores[i]);
    for (Index i = offsets[e]; i < offsets[e + 1]; ++i) {
      w[i] = kind == Kind::mean    ? 1.0 / (offsets[e + 1] - offsets[e])
             : kind == Kind::sum   ? 1.0
             : kind == Kind::first ? i == offsets[e]
                                   : std::exp(scores[i]) / total;
    }
  }
  return w;
}

template <class Real>
Array<Real> pool(Kind kind, const Array<Real>& x, const Array<Real>& scores, const Ids& offsets) {
  Array<Real> y({offsets.size() - 1, x.shape()[1]}, -1), weights(scores.shape());
  if (kind == Kind::mean) mean_pool(in(x), in(offsets), y.view());
  if (kind == Kind::sum) sum_pool(in(x), in(offsets), y.view());
  if (kind == Kind::first) first_pool(in(x), in(offsets), y.view());
  if (kind == Kind::attention) {
    attention_pool(in(x), in(scores), in(offsets), weights.view(), y.view());
  }
  return y;
}

TYPED_TEST(Pooling, AgreesWithThePlainLoopsAndAnEmptyExampleIsZero) {
  for (const auto& bounds : kPacks) {
    for (Index d : {1, 5, 33}) {
      const Ids offsets = testing::ids(bounds);
      const Index n = bounds.back();
      const auto x = Array<TypeParam>::random({n, d}, 1), scores = Array<TypeParam>::random({n}, 2);
      for (Kind kind : kKinds) {
        const auto w = weights_of(kind, offsets, widened(scores));
        Array<double> want({offsets.size() - 1, d});
        for (Index e = 0; e + 1 < offsets.size(); ++e) {
          for (Index i = offsets[e]; i < offsets[e + 1]; ++i) {
            for (Index j = 0; j < d; ++j) {
              want[e * d + j] += w[i] * static_cast<double>(x[i * d + j]);
            }
          }
        }
        EXPECT_LE(testing::error(pool(kind, x, scores, offsets), want),
                  testing::tolerance<TypeParam>());
      }
    }
  }
}

TEST(PoolingOfDoubles, GradientsMatchCentralDifferences) {
  for (const auto& bounds : kPacks) {
    const Ids offsets = testing::ids(bounds);
    const Index n = bounds.back(), n_examples = offsets.size() - 1, d = 9;
    auto x = Array<double>::random({n, d}, 1), scores = Array<double>::random({n}, 2);
    const auto dy = Array<double>::random({n_examples, d}, 3);
    Array<double> dmean({n, d}, 1), dsum({n, d}, 1), dfirst({n, d}, 1), dattention({n, d}, 1),
        dscores({n}, 2);
    mean_pool_backward(in(dy), in(offsets), dmean.view());
    sum_pool_backward(in(dy), in(offsets), dsum.view());
    first_pool_backward(in(dy), in(offsets), dfirst.view());
    Array<double> weights({n}), y({n_examples, d});
    attention_pool(in(x), in(scores), in(offsets), weights.view(), y.view());
    attention_pool_backward(in(dy), in(x), in(weights), in(offsets), dattention.view(),
                            dscores.view());
    if (n == 0) continue;
    for (Index i = 0; i < n * d; ++i) {
      dmean[i] -= 1;
      dsum[i] -= 1;
      dfirst[i] -= 1;
      dattention[i] -= 1;
    }
    for (Index i = 0; i < n; ++i) dscores[i] -= 2;
    const auto loss = [&](Kind kind) {
      return [&, kind] { return testing::dot(pool(kind, x, scores, offsets), dy); };
    };
    testing::expect_gradient("x of mean", x, dmean, loss(Kind::mean));
    testing::expect_gradient("x of sum", x, dsum, loss(Kind::sum));
    testing::expect_gradient("x of first", x, dfirst, loss(Kind::first));
    testing::expect_gradient("x of attention", x, dattention, loss(Kind::attention));
    // The only row of an example has weight 1 whatever its score.
    if (n > 1) testing::expect_gradient("scores", scores, dscores, loss(Kind::attention));
  }
}

TYPED_TEST(Pooling, RowsAreRepeatedForEachRowOfTheirExample) {
  for (const auto& bounds : kPacks) {
    const Ids offsets = testing::ids(bounds);
    const Index n = bounds.back(), n_examples = offsets.size() - 1, d = 19;
    const auto x = Array<TypeParam>::random({n_examples, d}, 1);
    Array<TypeParam> y({n, d}, -1);
    repeat_rows(in(x), in(offsets), y.view());
    for (Index e = 0; e < n_examples; ++e) {
      for (Index i = offsets[e]; i < offsets[e + 1]; ++i) {
        EXPECT_TRUE(same_bits(testing::rows_of(y, i, i + 1), testing::rows_of(x, e, e + 1)));
      }
    }
  }
}

// ⟨R x, y⟩ = ⟨x, Rᵀ y⟩ where Rᵀ is the sum over an example.
TEST(PoolingOfDoubles, TheGradientOfRepeatedRowsIsTheirSumInOrder) {
  for (const auto& bounds : kPacks) {
    const Ids offsets = testing::ids(bounds);
    const Index n = bounds.back(), n_examples = offsets.size() - 1, d = 19;
    const auto dy = Array<double>::random({n, d}, 1);
    Array<double> dx({n_examples, d}), sums({n_examples, d});
    repeat_rows_backward(in(dy), in(offsets), dx.view());
    sum_pool(in(dy), in(offsets), sums.view());
    EXPECT_TRUE(same_bits(dx, sums));
    repeat_rows_backward(in(dy), in(offsets), dx.view());
    for (Index i = 0; i < dx.size(); ++i) {
      EXPECT_NEAR(dx[i], 2 * sums[i], 1e-13) << "a backward adds";
    }
  }
}

TYPED_TEST(Pooling, AnExamplesBitsDependOnItsRowsAlone) {
  const Index d = 33;
  const Ids offsets = testing::ids({0, 3, 16, 16, 21, 40});
  const auto x = Array<TypeParam>::random({40, d}, 1), scores = Array<TypeParam>::random({40}, 2);
  for (Kind kind : kKinds) {
    const auto y = pool(kind, x, scores, offsets);
    for (Index e = 0; e < 5; ++e) {
      const auto rows = testing::rows_of(x, offsets[e], offsets[e + 1]);
      const auto alone = pool(kind, rows, testing::rows_of(scores, offsets[e], offsets[e + 1]),
                              testing::ids({0, offsets[e + 1] - offsets[e]}));
      EXPECT_TRUE(same_bits(alone, testing::rows_of(y, e, e + 1)));
    }
  }
}

TYPED_TEST(Pooling, BitsDoNotDependOnThreads) {
  const Index n = 4000, d = 67;
  const Ids offsets = testing::ids({0, 500, 500, 2000, 3999, 4000});
  const auto x = Array<TypeParam>::random({n, d}, 1), scores = Array<TypeParam>::random({n}, 2);
  testing::expect_same_on_threads<TypeParam>(
      {"mean_pool", "mean_pool_backward", "attention_pool", "attention_pool_backward", "sum_pool",
       "sum_pool_backward", "repeat_rows", "repeat_rows_backward"},
      [&] {
        Array<TypeParam> y({5, d}), weights({n}), dx({n, d}), dscores({n});
        Array<TypeParam> total({5, d}), repeated({n, d});
        sum_pool(in(x), in(offsets), total.view());
        repeat_rows(in(total), in(offsets), repeated.view());
        repeat_rows_backward(in(repeated), in(offsets), total.view());
        sum_pool_backward(in(total), in(offsets), dx.view());
        mean_pool(in(x), in(offsets), y.view());
        mean_pool_backward(in(y), in(offsets), dx.view());
        attention_pool(in(x), in(scores), in(offsets), weights.view(), y.view());
        attention_pool_backward(in(y), in(x), in(weights), in(offsets), dx.view(), dscores.view());
        return std::vector{y, weights, dx, dscores, total, repeated};
      });
}

TYPED_TEST(Pooling, NanStaysInItsExample) {
  const Ids offsets = testing::ids({0, 2, 4});
  Array<TypeParam> x({4, 3}, 1), scores({4});
  scores[1] = std::numeric_limits<TypeParam>::quiet_NaN();
  const auto y = pool(Kind::attention, x, scores, offsets);
  for (Index j = 0; j < 3; ++j) {
    EXPECT_TRUE(std::isnan(y[j]));
    EXPECT_EQ(y[3 + j], TypeParam(1));
  }
}

}  // namespace
}  // namespace attune::kernels
