#include "kernels/pointwise.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "tests/reference/kernel_checks.h"

namespace attune::kernels {
namespace {

using testing::Array;
using testing::in;
using testing::same_bits;
using testing::widened;

template <class Real>
struct Map {
  const char* name;
  std::function<void(View<const Real>, View<Real>, View<Real>)> kernel;
  std::function<long double(long double)> truth;
  int far_left = 0;  // its value at −1000
};

template <class Real>
std::vector<Map<Real>> maps() {
  return {
      {"silu", [](auto x, auto y, auto s) { silu<Real>(x, y, s); },
       [](auto x) { return x / (1 + std::exp(-x)); }},
      {"gelu", [](auto x, auto y, auto s) { gelu<Real>(GeluForm::erf, x, y, s); },
       [](auto x) { return x * std::erfc(-x / std::sqrt(2.0L)) / 2; }},
      {"gelu", [](auto x, auto y, auto s) { gelu<Real>(GeluForm::tanh, x, y, s); },
       [](auto x) {
         const auto u = std::sqrt(2 / 3.14159265358979323846L) * (x + 0.044715L * x * x * x);
         return x * (1 + std::tanh(u)) / 2;
       }},
      {"elu", [](auto x, auto y, auto s) { elu<Real>(x, y, s); },
       [](auto x) { return x > 0 ? x : std::expm1(x); }, -1},
  };
}

template <class Real>
class Pointwise : public ::testing::Test {
 public:
  // From deep in the left tail to where y = x.
  static Array<Real> inputs(Index n) {
    auto x = Array<Real>::random({n}, 1);
    for (Index i = 0; i < n; ++i) x[i] *= Real(i % 3 == 0 ? 12 : 3);
    return x;
  }
};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Pointwise, Reals);

TYPED_TEST(Pointwise, ActivationsAgreeWithTheirFormulas) {
  for (const auto& map : maps<TypeParam>()) {
    for (Index n : {0, 1, 7, 16, 33, 1000}) {
      const auto x = this->inputs(n);
      Array<TypeParam> y({n}), slope({n}), alone({n});
      map.kernel(in(x), y.view(), slope.view());
      map.kernel(in(x), alone.view(), {});
      EXPECT_TRUE(same_bits(y, alone)) << "the value must not depend on who asks for the slope";
      for (Index i = 0; i < n; ++i) {
        const double at = static_cast<double>(x[i]), want = static_cast<double>(map.truth(at));
        const double ulp = std::numeric_limits<TypeParam>::epsilon();
        ASSERT_NEAR(y[i], want, 16 * ulp * std::max(std::fabs(want), 1e-3)) << map.name << at;
        const long double h = 1e-5L;
        const auto numeric = static_cast<double>((map.truth(at + h) - map.truth(at - h)) / (2 * h));
        ASSERT_NEAR(slope[i], numeric, sizeof(TypeParam) == 4 ? 5e-7 : 1e-10)
            << map.name << "' at " << at;
      }
    }
  }
}

TYPED_TEST(Pointwise, TheSlopeMayOverwriteTheInput) {
  for (const auto& map : maps<TypeParam>()) {
    const auto x = this->inputs(37);
    Array<TypeParam> y({37}), slope({37}), both = x, y2({37});
    map.kernel(in(x), y.view(), slope.view());
    map.kernel(in(both), y2.view(), both.view());
    EXPECT_TRUE(same_bits(y, y2));
    EXPECT_TRUE(same_bits(slope, both));
  }
}

TYPED_TEST(Pointwise, ActivationsPassNanAndSaturate) {
  const TypeParam inf = std::numeric_limits<TypeParam>::infinity();
  for (const auto& map : maps<TypeParam>()) {
    Array<TypeParam> x({4}), y({4});
    x[0] = std::numeric_limits<TypeParam>::quiet_NaN();
    x[1] = inf;
    x[2] = TypeParam(-1000);
    x[3] = TypeParam(1000);
    map.kernel(in(x), y.view(), {});
    EXPECT_TRUE(std::isnan(y[0]));
    EXPECT_EQ(y[1], inf);
    EXPECT_EQ(y[2], TypeParam(map.far_left));
    EXPECT_EQ(y[3], TypeParam(1000));
  }
}

// eˣ less 1 has lost all digits of x there.
TYPED_TEST(Pointwise, EluKeepsItsRelativeAccuracyNearZero) {
  Array<TypeParam> x({25}), y({25});
  for (Index i = 0; i < 25; ++i) x[i] = -std::exp(TypeParam(i - 25));
  elu(in(x), y.view(), {});
  for (Index i = 0; i < 25; ++i) {
    const TypeParam want = std::expm1(x[i]);
    EXPECT_NEAR(y[i], want, 3 * std::numeric_limits<TypeParam>::epsilon() * -want) << x[i];
  }
}

TYPED_TEST(Pointwise, TanhHasTheDerivativeOneLessItsSquare) {
  const auto x = this->inputs(100);
  Array<TypeParam> y({100}), dx({100}, 1);
  tanh(in(x), y.view());
  const auto dy = Array<TypeParam>::random({100}, 4);
  tanh_backward(in(dy), in(y), dx.view());
  const double ulp = std::numeric_limits<TypeParam>::epsilon();
  for (Index i = 0; i < 100; ++i) {
    const double wanted = std::tanh(static_cast<double>(x[i])), slope = 1 - wanted * wanted;
    EXPECT_NEAR(y[i], wanted, 2 * ulp);
    EXPECT_NEAR(dx[i], 1 + slope * static_cast<double>(dy[i]), 8 * ulp);
  }
}

TYPED_TEST(Pointwise, ReluKeepsWhatIsPositiveAndPassesNan) {
  Array<TypeParam> x({20}), y({20}), dx({20}, 1);
  for (Index i = 0; i < 20; ++i) x[i] = TypeParam(i) - 10;
  x[3] = std::numeric_limits<TypeParam>::quiet_NaN();
  relu(in(x), y.view());
  const Array<TypeParam> dy({20}, 5);
  relu_backward(in(dy), in(y), dx.view());
  for (Index i = 0; i < 20; ++i) {
    if (i == 3) {
      EXPECT_TRUE(std::isnan(y[i]));
    } else {
      EXPECT_EQ(y[i], std::max(x[i], TypeParam(0)));
      EXPECT_EQ(dx[i], TypeParam(i > 10 ? 6 : 1)) << "x = " << x[i];
    }
  }
}

TYPED_TEST(Pointwise, ArithmeticIsThatOfAPlainLoop) {
  for (Index n : {0, 1, 7, 33, 100}) {
    const auto a = Array<TypeParam>::random({n}, 1), b = Array<TypeParam>::random({n}, 2);
    Array<TypeParam> total({n}), scaled({n}), added = a, slid = a, chained = a, filled({n});
    add(in(a), in(b), total.view());
    scale(TypeParam(0.3), in(a), scaled.view());
    accumulate(in(b), added.view());
    scale_backward(TypeParam(0.3), in(b), slid.view());
    chain(in(b), in(total), chained.view());
    fill(TypeParam(7), filled.view());
    for (Index i = 0; i < n; ++i) {
      EXPECT_EQ(total[i], a[i] + b[i]);
      EXPECT_EQ(added[i], a[i] + b[i]);
      EXPECT_EQ(scaled[i], TypeParam(0.3) * a[i]);
      EXPECT_EQ(slid[i], std::fma(TypeParam(0.3), b[i], a[i]));
      EXPECT_EQ(chained[i], std::fma(b[i], total[i], a[i]));
      EXPECT_EQ(filled[i], TypeParam(7));
    }
  }
}

TEST(PointwiseOfDoubles, GradientsMatchCentralDifferences) {
  for (const auto& map : maps<double>()) {
    for (Index n : {1, 5, 16, 33, 70}) {
      auto x = Pointwise<double>::inputs(n);
      const auto dy = Array<double>::random({n}, 3);
      Array<double> y({n}), slope({n}), dx({n});
      map.kernel(in(x), y.view(), slope.view());
      chain(in(slope), in(dy), dx.view());
      testing::expect_gradient(map.name, x, dx, [&] {
        map.kernel(in(x), y.view(), {});
        return testing::dot(y, dy);
      });
    }
  }
}

TYPED_TEST(Pointwise, AnElementsBitsDoNotTellWhereItStands) {
  for (const auto& map : maps<TypeParam>()) {
    const auto x = this->inputs(101);
    Array<TypeParam> y({101}), slope({101});
    map.kernel(in(x), y.view(), slope.view());
    for (Index at : {0, 15, 16, 64, 95, 96, 97, 100}) {
      for (Index n : {1, 3, 17}) {
        Array<TypeParam> few({n}, x[at]), y_few({n}), slope_few({n});
        map.kernel(in(few), y_few.view(), slope_few.view());
        EXPECT_EQ(y_few[n - 1], y[at]);
        EXPECT_EQ(slope_few[n - 1], slope[at]);
      }
    }
  }
}

TYPED_TEST(Pointwise, BitsDoNotDependOnThreads) {
  const Index n = 300'001;
  const auto x = this->inputs(n);
  testing::expect_same_on_threads<TypeParam>(
      {"silu", "gelu", "relu", "relu_backward", "add", "accumulate", "scale", "scale_backward",
       "chain", "fill", "elu"},
      [&] {
        Array<TypeParam> y({n}), slope({n}), r({n}), dx({n}), filled({n});
        silu(in(x), y.view(), slope.view());
        gelu(GeluForm::erf, in(x), y.view(), slope.view());
        relu(in(x), r.view());
        relu_backward(in(y), in(r), dx.view());
        add(in(x), in(y), r.view());
        accumulate(in(r), dx.view());
        scale(TypeParam(0.1), in(dx), r.view());
        scale_backward(TypeParam(0.1), in(r), dx.view());
        chain(in(slope), in(r), dx.view());
        fill(TypeParam(2), filled.view());
        elu(in(dx), dx.view(), {});
        return std::vector{y, slope, r, dx, filled};
      });
}

TEST(PointwiseOfDoubles, ShapesThatDifferAreRefused) {
  const Array<double> a({3}), b({4});
  Array<double> y({3});
  EXPECT_THROW(add(in(a), in(b), y.view()), ShapeError);
  EXPECT_THROW(relu(in(b), y.view()), ShapeError);
}

}  // namespace
}  // namespace attune::kernels
