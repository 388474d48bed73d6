#include "kernels/optimiser.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/reference/kernel_checks.h"

namespace attune::kernels {
namespace {

using testing::Array;
using testing::in;
using testing::same_bits;
using testing::widened;

template <class Real>
class Optimiser : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Optimiser, Reals);

const std::vector<DecayRange> kDecay = {{3, 20, 0.1}, {20, 21, 0.5}, {40, 77, 0.01}};
double decay_of(Index i) {
  for (const DecayRange& r : kDecay) {
    if (i >= r.begin && i < r.end) return r.weight_decay;
  }
  return 0;
}

template <class Real>
struct State {
  explicit State(Index n) : value(Array<Real>::random({n}, 1)), m({n}), v({n}), velocity({n}) {}
  Array<Real> value, m, v, velocity;
};

TYPED_TEST(Optimiser, AdamWFollowsItsEquations) {
  const Index n = 101;
  State<TypeParam> s(n);
  Array<double> p = widened(s.value), m({n}), v({n});
  const AdamOptions base{.lr = 0.01, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8};
  for (int t = 1; t <= 5; ++t) {
    const auto grad =
        Array<TypeParam>::random({n}, std::uint64_t{10} + static_cast<std::uint64_t>(t));
    AdamOptions options = base;
    options.step = t;
    adam<TypeParam>(options, kDecay, in(grad), s.value.view(), s.m.view(), s.v.view());
    for (Index i = 0; i < n; ++i) {
      const double g = static_cast<double>(grad[i]);
      p[i] *= 1 - base.lr * decay_of(i);
      m[i] = base.beta1 * m[i] + (1 - base.beta1) * g;
      v[i] = base.beta2 * v[i] + (1 - base.beta2) * g * g;
      const double m_hat = m[i] / (1 - std::pow(base.beta1, t));
      const double v_hat = v[i] / (1 - std::pow(base.beta2, t));
      p[i] -= base.lr * m_hat / (std::sqrt(v_hat) + base.eps);
    }
    EXPECT_LE(testing::error(s.value, p), testing::tolerance<TypeParam>()) << "step " << t;
    EXPECT_LE(testing::error(s.m, m), testing::tolerance<TypeParam>());
    EXPECT_LE(testing::error(s.v, v), testing::tolerance<TypeParam>());
  }
}

// The bias corrections make m̂/√v̂ the gradient's sign, whatever its size.
TYPED_TEST(Optimiser, TheFirstStepOfAdamWIsTheLearningRate) {
  State<TypeParam> s(3);
  const auto before = s.value;
  Array<TypeParam> grad({3});
  grad[0] = TypeParam(1e-3);
  grad[1] = TypeParam(-5);
  adam<TypeParam>({.lr = 0.1}, {}, in(grad), s.value.view(), s.m.view(), s.v.view());
  EXPECT_NEAR(s.value[0], before[0] - TypeParam(0.1), 2e-6);
  EXPECT_NEAR(s.value[1], before[1] + TypeParam(0.1), 1e-6);
  EXPECT_EQ(s.value[2], before[2]) << "no gradient, no decay, no step";
}

TYPED_TEST(Optimiser, SgdFollowsItsEquations) {
  const Index n = 101;
  for (double momentum : {0.0, 0.9}) {
    State<TypeParam> s(n);
    Array<double> p = widened(s.value), velocity({n});
    for (int t = 1; t <= 4; ++t) {
      const auto grad =
          Array<TypeParam>::random({n}, std::uint64_t{10} + static_cast<std::uint64_t>(t));
      sgd<TypeParam>({.lr = 0.05, .momentum = momentum}, kDecay, in(grad), s.value.view(),
                     momentum > 0 ? s.velocity.view() : View<TypeParam>());
      for (Index i = 0; i < n; ++i) {
        velocity[i] = momentum * velocity[i] + static_cast<double>(grad[i]) + decay_of(i) * p[i];
        p[i] -= 0.05 * velocity[i];
      }
    }
    EXPECT_LE(testing::error(s.value, p), testing::tolerance<TypeParam>());
  }
}

// However the block is cut by ranges, an element goes through the same instructions.
TYPED_TEST(Optimiser, AnElementsBitsDoNotTellWhereRangesEnd) {
  const Index n = 101;
  const auto grad = Array<TypeParam>::random({n}, 2);
  State<TypeParam> whole(n), cut(n);
  const std::vector<DecayRange> one = {{0, n, 0.1}},
                                many = {{0, 7, 0.1}, {7, 8, 0.1}, {8, 64, 0.1}, {64, n, 0.1}};
  adam<TypeParam>({}, one, in(grad), whole.value.view(), whole.m.view(), whole.v.view());
  adam<TypeParam>({}, many, in(grad), cut.value.view(), cut.m.view(), cut.v.view());
  EXPECT_TRUE(same_bits(whole.value, cut.value));
  sgd<TypeParam>({.momentum = 0.5}, one, in(grad), whole.value.view(), whole.velocity.view());
  sgd<TypeParam>({.momentum = 0.5}, many, in(grad), cut.value.view(), cut.velocity.view());
  EXPECT_TRUE(same_bits(whole.value, cut.value));
}

TYPED_TEST(Optimiser, TheSquaredNormIsSummedInDouble) {
  for (Index n : {0, 1, 5, 16, 33, 40'000}) {
    const auto x = Array<TypeParam>::random({n}, 3);
    double want = 0;
    for (Index i = 0; i < n; ++i) want += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    EXPECT_NEAR(squared_norm(in(x)), want, 1e-12 * std::max(want, 1.0));
  }
  // A float sum stops growing at 2²⁴.
  const Array<TypeParam> ones({(1 << 24) + 5}, 1);
  EXPECT_EQ(squared_norm(in(ones)), (1 << 24) + 5);
}

TYPED_TEST(Optimiser, BitsDoNotDependOnThreads) {
  const Index n = 300'001;
  const auto grad = Array<TypeParam>::random({n}, 2);
  testing::expect_same_on_threads<TypeParam>({"adam", "sgd", "squared_norm"}, [&] {
    State<TypeParam> s(n);
    adam<TypeParam>({}, kDecay, in(grad), s.value.view(), s.m.view(), s.v.view());
    sgd<TypeParam>({.momentum = 0.9}, kDecay, in(grad), s.value.view(), s.velocity.view());
    Array<TypeParam> norm({2});
    const double value = squared_norm(in(s.value));
    norm[0] = static_cast<TypeParam>(value);
    norm[1] = static_cast<TypeParam>(value - static_cast<double>(norm[0]));
    return std::vector{s.value, s.m, s.v, s.velocity, norm};
  });
}

TEST(OptimiserOfDoubles, RangesThatOverlapOrLeaveTheBlockAreRefused) {
  State<double> s(10);
  const auto step = [&](std::vector<DecayRange> decay) {
    const Array<double> grad({10});
    adam<double>({}, decay, in(grad), s.value.view(), s.m.view(), s.v.view());
  };
  EXPECT_THROW(step({{0, 5, 0.1}, {4, 6, 0.1}}), ShapeError);
  EXPECT_THROW(step({{0, 11, 0.1}}), ShapeError);
  EXPECT_NO_THROW(step({{0, 5, 0.1}, {5, 10, 0.1}}));
  const Array<double> grad({10});
  EXPECT_THROW(sgd<double>({.momentum = 0.9}, {}, in(grad), s.value.view(), {}), ShapeError);
  EXPECT_THROW(adam<double>({.step = 0}, {}, in(grad), s.value.view(), s.m.view(), s.v.view()),
               ConfigError);
}

}  // namespace
}  // namespace attune::kernels
