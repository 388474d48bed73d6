#include "kernels/layer_norm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/reference/kernel_checks.h"
#include "tests/reference/row_reference.h"

namespace attune::kernels {
namespace {

using testing::Array;
using testing::error;
using testing::in;
using testing::none;
using testing::same_bits;
using testing::widened;

template <class Real>
class LayerNorm : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(LayerNorm, Reals);

const std::vector<Shape> kShapes = {{1, 1}, {1, 5}, {3, 16}, {7, 33}, {130, 64}, {0, 8}};

template <class Real>
struct Result {
  Array<Real> y, mean, rstd;
};

template <class Real>
Result<Real> forward(const Array<Real>& x, const Array<Real>& gain,
                     const std::type_identity_t<Array<Real>>* bias) {
  const Index n = x.shape()[0];
  Result<Real> r{Array<Real>(x.shape()), Array<Real>({n}), Array<Real>({n})};
  layer_norm(in(x), in(gain), bias ? in(*bias) : none<Real>(), Real(1e-5), r.y.view(),
             r.mean.view(), r.rstd.view());
  return r;
}

TYPED_TEST(LayerNorm, AgreesWithThePlainLoops) {
  for (const Shape& shape : kShapes) {
    const auto x = Array<TypeParam>::random(shape, 1);
    const auto gain = Array<TypeParam>::random({shape[1]}, 2);
    const auto bias = Array<TypeParam>::random({shape[1]}, 3);
    for (const auto* b : {&bias, static_cast<decltype(&bias)>(nullptr)}) {
      const auto got = forward(x, gain, b);
      const auto wide_bias = widened(bias);
      const auto want =
          testing::layer_norm_reference(widened(x), widened(gain), b ? &wide_bias : nullptr, 1e-5);
      EXPECT_LE(error(got.y, want.y), testing::tolerance<TypeParam>()) << shape.text();
      EXPECT_LE(error(got.mean, want.mean), testing::tolerance<TypeParam>());
      EXPECT_LE(error(got.rstd, want.rstd), testing::tolerance<TypeParam>());
    }
  }
}

TYPED_TEST(LayerNorm, AFreshGradientIsWritten) {
  using Real = TypeParam;
  for (const Shape& shape : {Shape{1, 3}, {70, 33}, {5, 64}}) {
    const Index n = shape[0], d = shape[1];
    const auto x = Array<Real>::random(shape, 1), dy = Array<Real>::random(shape, 2),
               gain = Array<Real>::random({d}, 3);
    const auto saved = forward(x, gain, nullptr);
    Array<Real> zeros(shape, 0), fresh(shape, std::numeric_limits<Real>::quiet_NaN());
    for (auto* dx : {&zeros, &fresh})
      layer_norm_backward(in(dy), in(x), in(gain), in(saved.mean), in(saved.rstd), dx->view(), {},
                          {}, dx == &fresh);
    EXPECT_TRUE(testing::same_bits(fresh, zeros)) << n;
  }
}

// A one-pass variance, mean(x²) − mean(x)², loses every digit here: 1e4² is 2²⁶.
TYPED_TEST(LayerNorm, ALargeMeanDoesNotDrownTheVariance) {
  auto x = Array<TypeParam>::random({4, 48}, 5);
  for (Index i = 0; i < x.size(); ++i) x[i] += TypeParam(10000);
  const Array<TypeParam> gain({48}, 1);
  const auto want = testing::layer_norm_reference(widened(x), widened(gain), nullptr, 1e-5);
  EXPECT_LE(error(forward(x, gain, nullptr).y, want.y), sizeof(TypeParam) == 4 ? 2e-3 : 1e-11);
}

TEST(LayerNormOfDoubles, GradientsMatchCentralDifferences) {
  for (const Shape& shape : {Shape{1, 3}, {1, 5}, {3, 16}, {7, 33}, {66, 9}}) {
    const Index n = shape[0], d = shape[1];
    auto x = Array<double>::random(shape, 1), gain = Array<double>::random({d}, 2),
         bias = Array<double>::random({d}, 3);
    gain[0] = 0;  // marian divides by it
    const auto dy = Array<double>::random(shape, 4);
    const auto saved = forward(x, gain, &bias);
    Array<double> dx(shape, 1), dgain({d}, 2), dbias({d}, 3);
    layer_norm_backward(in(dy), in(x), in(gain), in(saved.mean), in(saved.rstd), dx.view(),
                        dgain.view(), dbias.view());
    for (Index i = 0; i < n * d; ++i) dx[i] -= 1;
    for (Index j = 0; j < d; ++j) {
      dgain[j] -= 2;
      dbias[j] -= 3;
    }
    const auto loss = [&] { return testing::dot(forward(x, gain, &bias).y, dy); };
    testing::expect_gradient("x", x, dx, loss);
    testing::expect_gradient("gain", gain, dgain, loss);
    testing::expect_gradient("bias", bias, dbias, loss);
  }
}

// Its Jacobian is (1/σ)(I − 11ᵀ/d − x̂x̂ᵀ/d): scaling the input by s divides the gradient by s.
TEST(LayerNormOfDoubles, ScalingTheInputDividesItsGradient) {
  const auto x = Array<double>::random({3, 17}, 1), dy = Array<double>::random({3, 17}, 2);
  const Array<double> gain({17}, 1);
  const auto gradient = [&](double s) {
    Array<double> scaled = x, dx({3, 17}), y({3, 17}), mean({3}), rstd({3});
    for (Index i = 0; i < x.size(); ++i) scaled[i] *= s;
    layer_norm(in(scaled), in(gain), none<double>(), 0.0, y.view(), mean.view(), rstd.view());
    layer_norm_backward(in(dy), in(scaled), in(gain), in(mean), in(rstd), dx.view(), {}, {});
    for (Index i = 0; i < x.size(); ++i) dx[i] *= s;
    return dx;
  };
  EXPECT_LE(error(gradient(8), gradient(1)), 1e-14);
}

TYPED_TEST(LayerNorm, ARowsBitsDependOnThatRowAlone) {
  const Index d = 33;
  const auto x = Array<TypeParam>::random({98, d}, 1), gain = Array<TypeParam>::random({d}, 2),
             dy = Array<TypeParam>::random({98, d}, 3);
  const auto backward = [&](const Array<TypeParam>& rows, const Array<TypeParam>& upstream) {
    const auto saved = forward(rows, gain, nullptr);
    Array<TypeParam> dx(rows.shape());
    layer_norm_backward(in(upstream), in(rows), in(gain), in(saved.mean), in(saved.rstd), dx.view(),
                        {}, {});
    return dx;
  };
  const auto y = forward(x, gain, nullptr).y, dx = backward(x, dy);
  for (Index i : {0, 1, 3, 8, 9, 63, 64, 96, 97}) {
    const auto row = testing::rows_of(x, i, i + 1);
    EXPECT_TRUE(same_bits(testing::rows_of(y, i, i + 1), forward(row, gain, nullptr).y));
    EXPECT_TRUE(
        same_bits(testing::rows_of(dx, i, i + 1), backward(row, testing::rows_of(dy, i, i + 1))));
  }
}

TYPED_TEST(LayerNorm, ElementsOfOneValueHaveOneResultWhereverTheyStand) {
  // Tails go through the same instructions: a symmetric row must come out symmetric.
  const Index d = 39;
  Array<TypeParam> x({1, d});
  for (Index j = 0; j < d; ++j) x[j] = TypeParam((j * 7) % 3);
  const auto y = forward(x, Array<TypeParam>({d}, TypeParam(1.1)), nullptr).y;
  for (Index j = 3; j < d; ++j) EXPECT_EQ(y[j], y[j - 3]) << "column " << j;
}

TYPED_TEST(LayerNorm, BitsDoNotDependOnThreads) {
  const Index n = 2001, d = 67;
  const auto x = Array<TypeParam>::random({n, d}, 1), gain = Array<TypeParam>::random({d}, 2),
             bias = Array<TypeParam>::random({d}, 3), dy = Array<TypeParam>::random({n, d}, 4);
  testing::expect_same_on_threads<TypeParam>({"layer_norm", "layer_norm_backward"}, [&] {
    const auto saved = forward(x, gain, &bias);
    Array<TypeParam> dx({n, d}), dgain({d}), dbias({d});
    layer_norm_backward(in(dy), in(x), in(gain), in(saved.mean), in(saved.rstd), dx.view(),
                        dgain.view(), dbias.view());
    return std::vector{saved.y, saved.mean, saved.rstd, dx, dgain, dbias};
  });
}

TYPED_TEST(LayerNorm, NanStaysInItsRow) {
  auto x = Array<TypeParam>::random({3, 20}, 1);
  x[25] = std::numeric_limits<TypeParam>::quiet_NaN();
  const auto y = forward(x, Array<TypeParam>({20}, 1), nullptr).y;
  for (Index i = 0; i < y.size(); ++i) EXPECT_EQ(std::isnan(y[i]), i / 20 == 1) << i;
}

TYPED_TEST(LayerNorm, AConstantRowGivesTheBias) {
  const Array<TypeParam> x({2, 19}, TypeParam(3.25)), gain({19}, 2), bias({19}, TypeParam(0.5));
  const auto y = forward(x, gain, &bias).y;
  for (Index i = 0; i < y.size(); ++i) EXPECT_EQ(y[i], TypeParam(0.5));
}

TEST(LayerNormOfDoubles, OperandsThatDoNotFitAreRefused) {
  const Array<double> x({2, 4}), gain({4}), wide({5}), empty({2, 0}), nothing({0});
  Array<double> y({2, 4}), row({2}), none_out({2, 0});
  EXPECT_THROW(layer_norm(in(x), in(wide), none<double>(), 1e-5, y.view(), row.view(), row.view()),
               ShapeError);
  EXPECT_THROW(layer_norm(in(empty), in(nothing), none<double>(), 1e-5, none_out.view(), row.view(),
                          row.view()),
               ShapeError);
}

}  // namespace
}  // namespace attune::kernels
