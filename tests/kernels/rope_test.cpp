#include "kernels/rope.h"

#include <gmock/gmock.h>

#include "tests/reference/kernel_checks.h"
#include "tests/reference/row_reference.h"

namespace attune::kernels {
namespace {

using testing::Array;
using testing::Ids;
using testing::in;
using testing::same_bits;
using testing::widened;

template <class Real>
class Rope : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Rope, Reals);

// Places near and far, on both sides of zero.
Ids places(Index n, Index n_axes) {
  Ids p(n_axes == 1 ? Shape{n} : Shape{n, 2});
  const Stream stream(5);
  for (Index i = 0; i < p.size(); ++i) {
    p[i] = static_cast<std::int32_t>(stream.below(20000, static_cast<std::uint64_t>(i))) - 8000;
  }
  return p;
}

template <class Real>
Array<Real> turned(Index n_heads, const Array<Real>& x, const Ids& positions, double base = 10000) {
  Array<Real> y(x.shape());
  rope(n_heads, base, in(x), in(positions), y.view());
  return y;
}

// Far positions too: sines of float angles would miss the tolerance at 12,000 by far.
TYPED_TEST(Rope, AgreesWithComplexNumbers) {
  for (Index n_axes : {1, 2}) {
    for (Index heads : {1, 3}) {
      for (Index d : {4, 8, 20, 36, 68}) {
        for (Index n : {0, 1, 7, 130}) {
          const auto x = Array<TypeParam>::random({n, heads * d}, 1);
          const Ids p = places(n, n_axes);
          for (double base : {1.0, 100.0, 10000.0}) {
            const auto want = testing::rope_reference(heads, base, widened(x), p);
            // The reference's own pow and angle round too: 1e4 · 2⁻⁵³ and a few ulp.
            const double bound = sizeof(TypeParam) == 4 ? 2e-6 : 1e-11;
            EXPECT_LE(testing::error(turned(heads, x, p, base), want), bound) << d << " " << base;
          }
        }
      }
    }
  }
}

// What rotary positions are for: q_i · k_j of turned rows is that of rows moved by any distance.
TEST(RopeOfDoubles, ScoresDependOnTheDifferenceOfPositions) {
  const Index d = 16;
  const auto q = Array<double>::random({1, d}, 1), k = Array<double>::random({1, d}, 2);
  const auto score = [&](std::int32_t i, std::int32_t j) {
    return testing::dot(turned(1, q, testing::ids({i})), turned(1, k, testing::ids({j})));
  };
  for (std::int32_t apart : {-3, 0, 1, 40}) {
    for (std::int32_t at : {1, 17, 1000, -500})
      EXPECT_NEAR(score(at + apart, at), score(apart, 0), 1e-12) << apart << " " << at;
  }
  EXPECT_GT(std::fabs(score(5, 0) - score(6, 0)), 1e-3);
}

// In two dimensions by the difference of rows and that of columns.
TEST(RopeOfDoubles, ScoresInAGridDependOnTheDifferencesOfRowsAndColumns) {
  const Index d = 8;
  const auto q = Array<double>::random({1, d}, 1), k = Array<double>::random({1, d}, 2);
  const auto at = [](std::int32_t row, std::int32_t column) {
    Ids p({1, 2});
    p[0] = row;
    p[1] = column;
    return p;
  };
  const auto score = [&](const Ids& i, const Ids& j) {
    return testing::dot(turned(1, q, i), turned(1, k, j));
  };
  EXPECT_NEAR(score(at(7, 12), at(4, 10)), score(at(3, 2), at(0, 0)), 1e-13);
  EXPECT_GT(std::fabs(score(at(3, 2), at(0, 0)) - score(at(2, 3), at(0, 0))), 1e-3);
}

TEST(RopeOfDoubles, NormsStayAndPositionZeroIsTheRowItself) {
  const auto x = Array<double>::random({5, 24}, 1);
  const auto y = turned(2, x, places(5, 2));
  EXPECT_NEAR(testing::dot(y, y), testing::dot(x, x), 1e-13);
  EXPECT_TRUE(same_bits(turned(2, x, Ids({5})), x));
}

// Backward is the transpose, and of a turn that is its inverse; it adds.
TYPED_TEST(Rope, BackwardTurnsBackAndAdds) {
  for (Index n_axes : {1, 2}) {
    const auto x = Array<TypeParam>::random({9, 40}, 1);
    const Ids p = places(9, n_axes);
    Array<TypeParam> back({9, 40}, 1);
    rope_backward(2, 10000, in(turned(2, x, p)), in(p), back.view());
    auto want = widened(x);
    for (Index i = 0; i < want.size(); ++i) want[i] += 1;
    EXPECT_LE(testing::error(back, want), testing::tolerance<TypeParam>());
  }
}

TEST(RopeOfDoubles, GradientMatchesCentralDifferences) {
  auto x = Array<double>::random({3, 16}, 1);
  const auto dy = Array<double>::random({3, 16}, 2);
  const Ids p = places(3, 2);
  Array<double> dx({3, 16});
  rope_backward(2, 50, in(dy), in(p), dx.view());
  testing::expect_gradient("x", x, dx, [&] { return testing::dot(turned(2, x, p, 50), dy); });
}

TYPED_TEST(Rope, ARowsBitsDependOnThatRowAlone) {
  const auto x = Array<TypeParam>::random({131, 36}, 1);
  const Ids p = places(131, 1);
  const auto whole = turned(3, x, p);
  for (Index row : {0, 5, 63, 64, 130}) {
    const auto alone = turned(3, testing::rows_of(x, row, row + 1), testing::ids({p[row]}));
    EXPECT_TRUE(same_bits(alone, testing::rows_of(whole, row, row + 1))) << row;
  }
}

TYPED_TEST(Rope, BitsDoNotDependOnThreads) {
  const auto x = Array<TypeParam>::random({700, 64}, 1);
  const Ids p = places(700, 1);
  testing::expect_same_on_threads<TypeParam>({"rope", "rope_backward"}, [&] {
    Array<TypeParam> dx(x.shape());
    rope_backward(4, 10000, in(x), in(p), dx.view());
    return std::vector{turned(4, x, p), dx};
  });
}

TEST(RopeOfDoubles, NanReachesItsPairAlone) {
  auto x = Array<double>::random({2, 8}, 1);
  x[1] = std::nan("");
  const auto y = turned(1, x, testing::ids({1, 2}));
  for (Index i = 0; i < 16; ++i) EXPECT_EQ(std::isnan(y[i]), i == 1 || i == 5) << i;
}

TEST(RopeOfDoubles, RefusesWhatHasNoPairs) {
  const auto refusal = [](Index n_heads, const Shape& x, const Shape& positions,
                          double base = 10000) -> std::string {
    try {
      turned(n_heads, Array<double>(x), Ids(positions), base);
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  using ::testing::HasSubstr;
  EXPECT_THAT(refusal(2, {3, 10}, {3}), HasSubstr("width 5 cannot be turned in pairs"));
  EXPECT_THAT(refusal(1, {3, 6}, {3, 2}), HasSubstr("a multiple of 4"));
  EXPECT_THAT(refusal(4, {3, 10}, {3}), HasSubstr("10 columns, which 4 heads do not divide"));
  EXPECT_THAT(refusal(1, {3, 8}, {2}), HasSubstr("x has 3 rows, positions 2"));
  EXPECT_THAT(refusal(1, {3, 8}, {3, 3}), HasSubstr("[n, 2] of row and column"));
  EXPECT_THAT(refusal(1, {3, 8}, {3}, 0.5), HasSubstr("base=0.5"));
  EXPECT_EQ(refusal(1, {3, 8}, {3}), "");
}

}  // namespace
}  // namespace attune::kernels
