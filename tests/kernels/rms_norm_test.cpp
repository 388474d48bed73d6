#include "kernels/rms_norm.h"

#include <gtest/gtest.h>

#include "tests/reference/kernel_checks.h"
#include "tests/reference/row_reference.h"

namespace attune::kernels {
namespace {

using testing::Array;
using testing::in;
using testing::none;
using testing::same_bits;
using testing::widened;

template <class Real>
class RmsNorm : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(RmsNorm, Reals);

template <class Real>
struct Result {
  Array<Real> y, rrms;
};

template <class Real>
Result<Real> forward(const Array<Real>& x, const Array<Real>& gain,
                     const std::type_identity_t<Array<Real>>* bias) {
  Result<Real> r{Array<Real>(x.shape()), Array<Real>({x.shape()[0]})};
  rms_norm(in(x), in(gain), bias ? in(*bias) : none<Real>(), Real(1e-5), r.y.view(), r.rrms.view());
  return r;
}

TYPED_TEST(RmsNorm, AgreesWithThePlainLoops) {
  for (const Shape& shape : {Shape{1, 1}, {1, 5}, {3, 16}, {7, 33}, {130, 64}, {0, 8}}) {
    const auto x = Array<TypeParam>::random(shape, 1);
    const auto gain = Array<TypeParam>::random({shape[1]}, 2),
               bias = Array<TypeParam>::random({shape[1]}, 3);
    const auto wide_bias = widened(bias);
    const auto with = testing::rms_norm_reference(widened(x), widened(gain), &wide_bias, 1e-5);
    const auto without = testing::rms_norm_reference(widened(x), widened(gain), nullptr, 1e-5);
    EXPECT_LE(testing::error(forward(x, gain, &bias).y, with), testing::tolerance<TypeParam>());
    EXPECT_LE(testing::error(forward(x, gain, nullptr).y, without),
              testing::tolerance<TypeParam>());
  }
}

TEST(RmsNormOfDoubles, GradientsMatchCentralDifferences) {
  for (const Shape& shape : {Shape{1, 2}, {1, 5}, {3, 16}, {7, 33}, {66, 9}}) {
    const Index n = shape[0], d = shape[1];
    auto x = Array<double>::random(shape, 1), gain = Array<double>::random({d}, 2),
         bias = Array<double>::random({d}, 3);
    const auto dy = Array<double>::random(shape, 4);
    const auto saved = forward(x, gain, &bias);
    Array<double> dx(shape, 1), dgain({d}, 2), dbias({d}, 3);
    rms_norm_backward(in(dy), in(x), in(gain), in(saved.rrms), dx.view(), dgain.view(),
                      dbias.view());
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

TYPED_TEST(RmsNorm, ARowsBitsDependOnThatRowAlone) {
  const Index d = 33;
  const auto x = Array<TypeParam>::random({98, d}, 1), gain = Array<TypeParam>::random({d}, 2);
  const auto y = forward(x, gain, nullptr).y;
  for (Index i : {0, 1, 3, 8, 9, 63, 64, 96, 97}) {
    const auto row = testing::rows_of(x, i, i + 1);
    EXPECT_TRUE(same_bits(testing::rows_of(y, i, i + 1), forward(row, gain, nullptr).y));
  }
}

TYPED_TEST(RmsNorm, BitsDoNotDependOnThreads) {
  const Index n = 2001, d = 67;
  const auto x = Array<TypeParam>::random({n, d}, 1), gain = Array<TypeParam>::random({d}, 2),
             dy = Array<TypeParam>::random({n, d}, 3);
  testing::expect_same_on_threads<TypeParam>({"rms_norm", "rms_norm_backward"}, [&] {
    const auto saved = forward(x, gain, nullptr);
    Array<TypeParam> dx({n, d}), dgain({d}), dbias({d});
    rms_norm_backward(in(dy), in(x), in(gain), in(saved.rrms), dx.view(), dgain.view(),
                      dbias.view());
    return std::vector{saved.y, saved.rrms, dx, dgain, dbias};
  });
}

TYPED_TEST(RmsNorm, AZeroRowGivesTheBiasAndNoNan) {
  const Array<TypeParam> x({1, 19}, 0), gain({19}, 2), bias({19}, TypeParam(0.5));
  const auto y = forward(x, gain, &bias).y;
  for (Index i = 0; i < y.size(); ++i) EXPECT_EQ(y[i], TypeParam(0.5));
}

}  // namespace
}  // namespace attune::kernels
