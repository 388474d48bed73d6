#include "kernels/cross_entropy.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "tests/reference/kernel_checks.h"
#include "tests/reference/row_reference.h"

namespace attune::kernels {
namespace {

using testing::Array;
using testing::Ids;
using testing::in;
using testing::none;
using testing::widened;

template <class Real>
class CrossEntropy : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(CrossEntropy, Reals);

template <class Real>
double loss_of(const CrossEntropyOptions& options, const Array<Real>& logits, const Ids& targets,
               const std::type_identity_t<Array<Real>>* weights = nullptr) {
  Array<Real> lse({logits.shape()[0]});
  return cross_entropy(options, in(logits), in(targets), weights ? in(*weights) : none<Real>(),
                       lse.view());
}

template <class Real>
Array<Real> gradient_of(const CrossEntropyOptions& options, const Array<Real>& logits,
                        const Ids& targets, Real dloss,
                        const std::type_identity_t<Array<Real>>* weights = nullptr) {
  Array<Real> lse({logits.shape()[0]}), dlogits(logits.shape());
  const auto w = weights ? in(*weights) : none<Real>();
  cross_entropy(options, in(logits), in(targets), w, lse.view());
  cross_entropy_backward(options, dloss, in(logits), in(targets), w, in(lse), dlogits.view());
  return dlogits;
}

Ids some_targets(Index n, Index c) {
  Ids t({n});
  for (Index i = 0; i < n; ++i) {
    t[i] = i % 5 == 3 ? -100 : static_cast<std::int32_t>((3 * i + 1) % c);
  }
  return t;
}

TYPED_TEST(CrossEntropy, AgreesWithThePlainLoops) {
  for (Index c : {1, 2, 5, 16, 33, 257}) {
    for (Index n : {1, 7, 130}) {
      auto logits = Array<TypeParam>::random({n, c}, 1), weights = Array<TypeParam>::random({n}, 2);
      for (Index i = 0; i < logits.size(); ++i) logits[i] *= 6;
      for (Index i = 0; i < n; ++i) weights[i] += 2;
      const Ids targets = some_targets(n, c);
      for (double smoothing : {0.0, 0.1, 1.0}) {
        const CrossEntropyOptions options{.label_smoothing = smoothing};
        const auto wide = widened(logits), wide_weights = widened(weights);
        const double bound = sizeof(TypeParam) == 4 ? 2e-6 : 1e-13;
        EXPECT_NEAR(loss_of(options, logits, targets),
                    testing::cross_entropy_reference(wide, targets, nullptr, smoothing, -100),
                    bound);
        EXPECT_NEAR(loss_of(options, logits, targets, &weights),
                    testing::cross_entropy_reference(wide, targets, &wide_weights, smoothing, -100),
                    bound);
      }
    }
  }
}

TEST(CrossEntropyOfDoubles, GradientsMatchCentralDifferences) {
  for (const Shape& shape : {Shape{1, 2}, {3, 5}, {7, 16}, {5, 33}, {66, 3}}) {
    auto logits = Array<double>::random(shape, 1), weights = Array<double>::random({shape[0]}, 2);
    for (Index i = 0; i < shape[0]; ++i) weights[i] += 2;
    const Ids targets = some_targets(shape[0], shape[1]);
    for (double smoothing : {0.0, 0.2}) {
      const CrossEntropyOptions options{.label_smoothing = smoothing};
      testing::expect_gradient("logits", logits, gradient_of(options, logits, targets, 1.0),
                               [&] { return loss_of(options, logits, targets); });
      testing::expect_gradient("weighted logits", logits,
                               gradient_of(options, logits, targets, 1.0, &weights),
                               [&] { return loss_of(options, logits, targets, &weights); });
    }
  }
}

TYPED_TEST(CrossEntropy, TheFloatGradientIsThatOfItsDoubleTwin) {
  auto logits = Array<TypeParam>::random({40, 33}, 1);
  for (Index i = 0; i < logits.size(); ++i) logits[i] *= 6;
  const Ids targets = some_targets(40, 33);
  EXPECT_LE(testing::error(gradient_of({}, logits, targets, TypeParam(40)),
                           gradient_of({}, widened(logits), targets, 40.0)),
            testing::tolerance<TypeParam>());
}

TYPED_TEST(CrossEntropy, WithoutARowThatCountsTheLossIsZeroAndSoIsTheGradient) {
  const auto logits = Array<TypeParam>::random({3, 4}, 1);
  const Ids targets = testing::ids({-100, -100, -100});
  EXPECT_EQ(loss_of({}, logits, targets), 0);
  const auto dlogits = gradient_of({}, logits, targets, TypeParam(1));
  for (Index i = 0; i < 12; ++i) EXPECT_EQ(dlogits[i], TypeParam(0));
  EXPECT_EQ(loss_of({}, Array<TypeParam>({0, 4}), testing::ids({})), 0);
}

TYPED_TEST(CrossEntropy, AnIgnoredRowChangesNothingEvenIfItIsNan) {
  auto logits = Array<TypeParam>::random({2, 4}, 1);
  const double alone = loss_of({}, testing::rows_of(logits, 0, 1), testing::ids({2}));
  for (Index j = 4; j < 8; ++j) logits[j] = std::numeric_limits<TypeParam>::quiet_NaN();
  const Ids targets = testing::ids({2, -100});
  EXPECT_EQ(loss_of({}, logits, targets), alone);
  const auto dlogits = gradient_of({}, logits, targets, TypeParam(1));
  for (Index j = 4; j < 8; ++j) EXPECT_EQ(dlogits[j], TypeParam(0));
}

TYPED_TEST(CrossEntropy, NanInARowThatCountsGivesNan) {
  auto logits = Array<TypeParam>::random({2, 20}, 1);
  logits[33] = std::numeric_limits<TypeParam>::quiet_NaN();
  EXPECT_TRUE(std::isnan(loss_of({}, logits, testing::ids({2, 3}))));
}

TYPED_TEST(CrossEntropy, HugeLogitsDoNotOverflow) {
  Array<TypeParam> logits({1, 2});
  logits[0] = TypeParam(1e30);
  logits[1] = TypeParam(-1e30);
  EXPECT_EQ(loss_of({}, logits, testing::ids({0})), 0);
  EXPECT_NEAR(loss_of({}, logits, testing::ids({1})) / 2e30, 1, 1e-6);
}

// ln c, the loss of knowing nothing.
TYPED_TEST(CrossEntropy, UniformLogitsCostTheLogarithmOfTheirNumber) {
  for (Index c : {2, 10, 65}) {
    const Array<TypeParam> logits({4, c}, TypeParam(3));
    EXPECT_NEAR(loss_of({.label_smoothing = 0.3}, logits, testing::ids({0, 1, 1, 0})),
                std::log(static_cast<double>(c)), 1e-6);
  }
}

TYPED_TEST(CrossEntropy, BitsDoNotDependOnThreads) {
  const Index n = 2001, c = 33;
  const auto logits = Array<TypeParam>::random({n, c}, 1);
  const Ids targets = some_targets(n, c);
  testing::expect_same_on_threads<TypeParam>({"cross_entropy", "cross_entropy_backward"}, [&] {
    Array<TypeParam> loss({2});  // the double's halves, should Real be float
    const double value = loss_of({.label_smoothing = 0.1}, logits, targets);
    loss[0] = static_cast<TypeParam>(value);
    loss[1] = static_cast<TypeParam>(value - static_cast<double>(loss[0]));
    return std::vector{loss, gradient_of({}, logits, targets, TypeParam(1))};
  });
}

TEST(CrossEntropyOfDoubles, ATargetThatIsNoClassIsNamed) {
  const Array<double> logits({3, 4});
  for (std::int32_t bad : {4, -1}) {
    try {
      loss_of({}, logits, testing::ids({0, 3, bad}));
      FAIL();
    } catch (const ShapeError& e) {
      EXPECT_THAT(e.what(), ::testing::HasSubstr("targets[2] is " + std::to_string(bad) +
                                                 ", but logits have classes 0 … 3"));
    }
  }
  EXPECT_THROW(loss_of({.label_smoothing = 1.5}, logits, testing::ids({0, 1, 2})), ConfigError);
}

}  // namespace
}  // namespace attune::kernels
