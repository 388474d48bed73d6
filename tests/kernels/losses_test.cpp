#include "kernels/losses.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/reference/kernel_checks.h"

namespace attune::kernels {
namespace {

using testing::Array;
using testing::in;
using testing::no_gradient;
using testing::widened;

template <class Real>
class Losses : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Losses, Reals);

const Shape kShapes[] = {{1}, {3, 5}, {33, 1}, {70, 9}, {5000, 2}};

// Targets in (0, 1), logits in (−6, 6).
template <class Real>
struct Pair {
  explicit Pair(const Shape& shape)
      : logits(Array<Real>::random(shape, 1)), targets(Array<Real>::random(shape, 2)) {
    for (Index i = 0; i < logits.size(); ++i) {
      logits[i] *= 6;
      targets[i] = (targets[i] + 1) / 2;
    }
  }
  Array<Real> logits, targets;
};

double squares(const Array<double>& p, const Array<double>& t) {
  double total = 0;
  for (Index i = 0; i < p.size(); ++i) total += (p[i] - t[i]) * (p[i] - t[i]);
  return total / static_cast<double>(p.size());
}

// The definition, which serves logits that are not large.
double binary(const Array<double>& x, const Array<double>& t) {
  double total = 0;
  for (Index i = 0; i < x.size(); ++i) {
    const double p = 1 / (1 + std::exp(-x[i]));
    total -= t[i] * std::log(p) + (1 - t[i]) * std::log(1 - p);
  }
  return total / static_cast<double>(x.size());
}

// The operands' own rounding aside, sums are double: a relative error of the elements' formulas.
TYPED_TEST(Losses, AgreeWithThePlainLoops) {
  for (const Shape& shape : kShapes) {
    const Pair<TypeParam> pair(shape);
    const auto x = widened(pair.logits), t = widened(pair.targets);
    EXPECT_NEAR(mean_squared_error(in(pair.logits), in(pair.targets)), squares(x, t), 1e-12);
    EXPECT_NEAR(binary_cross_entropy(in(pair.logits), in(pair.targets)), binary(x, t), 1e-12);
  }
}

TEST(LossesOfDoubles, GradientsMatchCentralDifferencesAndAdd) {
  for (const Shape& shape : {Shape{1}, Shape{3, 5}, Shape{7, 3}}) {
    Pair<double> pair(shape);
    auto &x = pair.logits, &t = pair.targets;
    const double dloss = 1.7;
    for (const bool mse : {true, false}) {
      Array<double> dx(shape, 3), dt(shape, 4);
      if (mse) {
        mean_squared_error_backward(dloss, in(x), in(t), dx.view(), dt.view());
      } else {
        binary_cross_entropy_backward(dloss, in(x), in(t), dx.view(), dt.view());
      }
      for (Index i = 0; i < dx.size(); ++i) {
        dx[i] -= 3;
        dt[i] -= 4;
      }
      const auto loss = [&] {
        return dloss *
               (mse ? mean_squared_error(in(x), in(t)) : binary_cross_entropy(in(x), in(t)));
      };
      testing::expect_gradient("logits", x, dx, loss);
      testing::expect_gradient("targets", t, dt, loss);
    }
  }
}

// A logit of 1e4 on the right side costs nothing, on the wrong one itself; slopes are 0 and ±1.
TYPED_TEST(Losses, BinaryCrossEntropyIsExactAtHugeLogits) {
  const auto at = [](TypeParam logit, TypeParam target) {
    Array<TypeParam> x({1}, logit), t({1}, target), dx({1});
    binary_cross_entropy_backward(TypeParam(1), in(x), in(t), dx.view(), no_gradient<TypeParam>());
    return std::pair<double, double>(binary_cross_entropy(in(x), in(t)),
                                     static_cast<double>(dx[0]));
  };
  EXPECT_EQ(at(10000, 1), std::pair(0.0, 0.0));
  EXPECT_EQ(at(-10000, 0), std::pair(0.0, 0.0));
  EXPECT_EQ(at(10000, 0), std::pair(10000.0, 1.0));
  EXPECT_EQ(at(-10000, 1), std::pair(10000.0, -1.0));
  EXPECT_NEAR(at(0, 1).first, std::log(2.0), 1e-15);
}

// log(1 + e⁻²⁰) is 2e-9: computed as log(1 + e) it would be 2e-9 only to eight digits, and in float
// 0.
TYPED_TEST(Losses, BinaryCrossEntropyKeepsItsDigitsWhereItIsSmall) {
  for (const double x : {5.0, 20.0, 30.0}) {
    const Array<TypeParam> logit({1}, static_cast<TypeParam>(x)), one({1}, 1);
    EXPECT_NEAR(binary_cross_entropy(in(logit), in(one)) / std::log1p(std::exp(-x)), 1, 1e-14);
    Array<TypeParam> dx({1});
    binary_cross_entropy_backward(TypeParam(1), in(logit), in(one), dx.view(),
                                  no_gradient<TypeParam>());
    const double want = -1 / (1 + std::exp(x));
    EXPECT_NEAR(static_cast<double>(dx[0]) / want, 1, testing::tolerance<TypeParam>());
  }
}

TYPED_TEST(Losses, OfNothingAreZeroAndNanPasses) {
  const Array<TypeParam> none({0, 3});
  EXPECT_EQ(mean_squared_error(in(none), in(none)), 0);
  EXPECT_EQ(binary_cross_entropy(in(none), in(none)), 0);
  Array<TypeParam> x({3});
  const Array<TypeParam> t({3});
  x[1] = std::numeric_limits<TypeParam>::quiet_NaN();
  EXPECT_TRUE(std::isnan(mean_squared_error(in(x), in(t))));
  EXPECT_TRUE(std::isnan(binary_cross_entropy(in(x), in(t))));
}

TYPED_TEST(Losses, BitsDoNotDependOnThreads) {
  const Pair<TypeParam> pair({40000, 3});
  testing::expect_same_on_threads<TypeParam>(
      {"mean_squared_error", "binary_cross_entropy", "mean_squared_error_backward",
       "binary_cross_entropy_backward"},
      [&] {
        const auto x = in(pair.logits), t = in(pair.targets);
        Array<TypeParam> loss({2}), dx(pair.logits.shape());
        loss[0] = static_cast<TypeParam>(mean_squared_error(x, t));
        loss[1] = static_cast<TypeParam>(binary_cross_entropy(x, t));
        mean_squared_error_backward(TypeParam(1), x, t, dx.view(), no_gradient<TypeParam>());
        binary_cross_entropy_backward(TypeParam(1), x, t, dx.view(), no_gradient<TypeParam>());
        return std::vector{loss, dx};
      });
}

TEST(LossesOfDoubles, TargetsAreProbabilities) {
  const Array<double> logits({2, 1}, 0.3);
  for (const double wrong : {-0.01, 1.01, 2.0}) {
    Array<double> targets({2, 1}, 1.0);
    EXPECT_NO_THROW(binary_cross_entropy(testing::in(logits), testing::in(targets)));
    targets[1] = wrong;
    EXPECT_THROW(binary_cross_entropy(testing::in(logits), testing::in(targets)), ShapeError);
  }
}

TEST(LossesOfDoubles, RefuseOperandsOfOtherSizes) {
  const Array<double> x({3, 2}), t({5});
  EXPECT_THROW(mean_squared_error(in(x), in(t)), ShapeError);
  EXPECT_THROW(binary_cross_entropy(in(x), in(t)), ShapeError);
  Array<double> dx({4});
  EXPECT_THROW(mean_squared_error_backward(1.0, in(x), in(x), dx.view(), no_gradient<double>()),
               ShapeError);
}

}  // namespace
}  // namespace attune::kernels
