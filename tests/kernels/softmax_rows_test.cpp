#include "kernels/softmax_rows.h"

#include <gmock/gmock.h>

#include <limits>

#include "tests/reference/kernel_checks.h"
#include "tests/reference/row_reference.h"

namespace attune::kernels {
namespace {

using testing::Array;
using testing::Ids;
using testing::in;
using testing::widened;

template <class Real>
class SoftmaxRows : public ::testing::Test {
 public:
  static constexpr Real kInfinity = std::numeric_limits<Real>::infinity();
};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(SoftmaxRows, Reals);

template <class Real>
Array<Real> softmax(const Array<Real>& x, const Ids* lengths = nullptr, Real temperature = 1) {
  Array<Real> y(x.shape(), -1);
  softmax_rows(in(x), lengths ? in(*lengths) : View<const std::int32_t>(), temperature, y.view());
  return y;
}

TYPED_TEST(SoftmaxRows, AgreesWithThePlainLoops) {
  for (Index c : {1, 5, 16, 33, 257}) {
    auto x = Array<TypeParam>::random({6, c}, 1);
    for (Index i = 0; i < x.size(); ++i) x[i] *= 8;
    const auto c32 = static_cast<std::int32_t>(c);
    const Ids lengths = testing::ids({c32, 0, 1, (c32 + 1) / 2, c32 - 1, c32});
    for (TypeParam temperature : {TypeParam(1), TypeParam(0.5), TypeParam(4)}) {
      const double t = static_cast<double>(temperature);
      EXPECT_LE(testing::error(softmax(x, nullptr, temperature),
                               testing::softmax_reference(widened(x), nullptr, t)),
                testing::tolerance<TypeParam>());
      EXPECT_LE(testing::error(softmax(x, &lengths, temperature),
                               testing::softmax_reference(widened(x), &lengths, t)),
                testing::tolerance<TypeParam>());
    }
  }
}

TEST(SoftmaxRowsOfDoubles, GradientsMatchCentralDifferences) {
  for (Index c : {2, 5, 16, 33, 40}) {
    auto x = Array<double>::random({4, c}, 1);
    const auto dy = Array<double>::random({4, c}, 2);
    const auto c32 = static_cast<std::int32_t>(c);
    const Ids lengths = testing::ids({c32, 0, c32 - 1, 1});
    const auto y = softmax(x, &lengths, 0.7);
    Array<double> dx({4, c}, 1);
    softmax_rows_backward(in(dy), in(y), in(lengths), 0.7, dx.view());
    for (Index i = 0; i < dx.size(); ++i) dx[i] -= 1;
    for (Index j = 0; j < c; ++j) EXPECT_EQ(dx[c + j], 0) << "a row of length 0";
    testing::expect_gradient("x", x, dx,
                             [&] { return testing::dot(softmax(x, &lengths, 0.7), dy); });
  }
}

// dx_0 = −y_0 y_1 (dy_1 − dy_0), which dy_0 − Σ dy y has lost where it is formed as it stands: of a
// float near 1000 half an ulp is 3e-5, a fifth of dx_0.
TEST(SoftmaxRowsOfFloats, GradientsOfAPeakedRowKeepTheirDigits) {
  const float rare = 0x1p-13F;
  Array<float> y({1, 2}), dy({1, 2}), dx({1, 2}, 0);
  y[0] = 1 - rare, y[1] = rare;
  dy[0] = 1000.1F, dy[1] = 1001.3F;
  softmax_rows_backward(in(dy), in(y), View<const std::int32_t>(), 1.0F, dx.view());
  const float slope = (1 - rare) * rare * (dy[1] - dy[0]);
  EXPECT_NEAR(dx[0], -slope, 1e-6F * slope);
  EXPECT_NEAR(dx[1], slope, 1e-6F * slope);
}

TYPED_TEST(SoftmaxRows, AnEmptyRowAndARowOfMinusInfinityAreZero) {
  Array<TypeParam> x({2, 21}, -this->kInfinity);
  const Ids lengths = testing::ids({0, 21});
  const auto y = softmax(x, &lengths);
  for (Index i = 0; i < y.size(); ++i) EXPECT_EQ(y[i], TypeParam(0));
}

TYPED_TEST(SoftmaxRows, MinusInfinityIsExactlyZeroAndOthersShareTheRest) {
  Array<TypeParam> x({1, 20}, 2);
  x[3] = x[17] = -this->kInfinity;
  const auto y = softmax(x);
  for (Index j = 0; j < 20; ++j) {
    if (j == 3 || j == 17) {
      EXPECT_EQ(y[j], TypeParam(0));
    } else {
      EXPECT_NEAR(y[j], 1.0 / 18, 1e-7);
    }
  }
}

TYPED_TEST(SoftmaxRows, NanAndPlusInfinityMakeTheirRowNanAndNoOther) {
  for (const TypeParam bad : {std::numeric_limits<TypeParam>::quiet_NaN(), this->kInfinity}) {
    for (Index at : {0, 7, 16, 20}) {
      Array<TypeParam> x({3, 21}, -this->kInfinity);
      for (Index j = 0; j < 21; ++j) x[j] = x[42 + j] = TypeParam(j);
      x[21 + at] = bad;
      const auto y = softmax(x);
      EXPECT_TRUE(std::isnan(y[21 + at]));
      for (Index j = 0; j < 21; ++j) {
        EXPECT_FALSE(std::isnan(y[j]));
        EXPECT_FALSE(std::isnan(y[42 + j]));
      }
    }
  }
}

TYPED_TEST(SoftmaxRows, HugeLogitsDoNotOverflow) {
  Array<TypeParam> x({1, 3}, TypeParam(1e30));
  x[1] = TypeParam(-1e30);
  const auto y = softmax(x);
  EXPECT_EQ(y[0], TypeParam(0.5));
  EXPECT_EQ(y[1], TypeParam(0));
}

TYPED_TEST(SoftmaxRows, BitsDependOnTheRowAndItsLengthNotOnTheWidth) {
  const auto x = Array<TypeParam>::random({70, 33}, 1);
  const Ids lengths = [] {
    Ids l({70});
    for (Index i = 0; i < 70; ++i) l[i] = static_cast<std::int32_t>(i % 34);
    return l;
  }();
  const auto y = softmax(x, &lengths);
  for (Index i : {1, 8, 17, 31, 33, 64, 69}) {
    Array<TypeParam> row({1, lengths[i]});
    for (Index j = 0; j < row.size(); ++j) row[j] = x[i * 33 + j];
    const auto alone = softmax(row);
    for (Index j = 0; j < row.size(); ++j) EXPECT_EQ(alone[j], y[i * 33 + j]);
  }
}

TYPED_TEST(SoftmaxRows, BitsDoNotDependOnThreads) {
  const auto x = Array<TypeParam>::random({1501, 67}, 1),
             dy = Array<TypeParam>::random({1501, 67}, 2);
  testing::expect_same_on_threads<TypeParam>({"softmax", "softmax_backward"}, [&] {
    const auto y = softmax(x);
    Array<TypeParam> dx({1501, 67});
    softmax_rows_backward(in(dy), in(y), {}, TypeParam(1), dx.view());
    return std::vector{y, dx};
  });
}

TEST(SoftmaxRowsOfDoubles, ALengthBeyondTheRowIsNamed) {
  const Array<double> x({2, 3});
  const Ids lengths = testing::ids({3, 4});
  try {
    softmax(x, &lengths);
    FAIL();
  } catch (const ShapeError& e) {
    EXPECT_THAT(e.what(), ::testing::HasSubstr("lengths[1] is 4, but rows have 3 elements"));
  }
  EXPECT_THROW(softmax(x, nullptr, 0.0), ConfigError);
}

}  // namespace
}  // namespace attune::kernels
