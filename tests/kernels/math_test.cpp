#include "kernels/math.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <type_traits>

#include "base/philox.h"
#include "kernels/parallel.h"

namespace attune::kernels {
namespace {

template <class Real>
using Lane = std::function<Vec<Real>(Vec<Real>)>;
using Truth = std::function<long double(long double)>;

// |got − want| in units of the last place of `want` as a Real.
template <class Real>
double ulps(Real got, long double want) {
  using Limits = std::numeric_limits<Real>;
  if (std::isnan(want)) return std::isnan(got) ? 0 : HUGE_VAL;
  if (std::isnan(got)) return HUGE_VAL;
  if (static_cast<Real>(want) == got) return 0;
  // Results within √2 of the subnormals may be flushed.
  if (got == 0 && std::fabs(want) < 1.42L * Limits::min()) return 0;
  if (std::isinf(got) || std::isinf(static_cast<Real>(want))) return HUGE_VAL;
  int exponent = 0;
  std::frexp(want, &exponent);
  exponent = std::max(exponent, Limits::min_exponent);
  return static_cast<double>(std::fabs(got - want) / std::ldexp(1.0L, exponent - Limits::digits));
}

// Worst error over [low, high]: uniform numbers, and every exponent with random bits behind it.
template <class Real>
double worst(const Lane<Real>& f, const Truth& truth, double low, double high) {
  using Int = std::conditional_t<sizeof(Real) == 4, std::uint32_t, std::uint64_t>;
  const Stream stream(42);
  double worst_error = 0;
  for (std::uint64_t i = 0; i < 60'000; ++i) {
    Real x[2];
    x[0] = static_cast<Real>(low + (high - low) * stream.uniform(i, 0));
    const auto words = philox({static_cast<std::uint32_t>(i), 1, 0, 0}, stream.key);
    const auto bits = static_cast<Int>(words[0] | std::uint64_t{words[1]} << 32);
    std::memcpy(&x[1], &bits, sizeof bits);
    for (const Real v : x) {
      if (!(v >= low && v <= high) || std::fpclassify(v) == FP_SUBNORMAL) continue;
      worst_error = std::max(worst_error, ulps<Real>(f(Vec<Real>(v))[0], truth(v)));
    }
  }
  return worst_error;
}

template <class Real>
class Math : public ::testing::Test {
 public:
  static constexpr bool kFloat = sizeof(Real) == 4;
  static constexpr Real kInfinity = std::numeric_limits<Real>::infinity();
  static constexpr Real kNan = std::numeric_limits<Real>::quiet_NaN();
  // Beyond these 2ˣ and eˣ overflow or vanish.
  static constexpr double kBinary = kFloat ? 130 : 1030, kNatural = kFloat ? 91 : 712;
};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Math, Reals);

template <class Real>
long double phi(long double x) {
  return 0.3989422804014326779399460599343818685L * std::exp(-x * x / 2);
}

TYPED_TEST(Math, ExponentialsAreWithinOneUlp) {
  using R = TypeParam;
  const double binary = this->kBinary, natural = this->kNatural;
  EXPECT_LE(worst<R>([](Vec<R> x) { return exp2(x); }, [](auto x) { return std::exp2(x); }, -binary,
                     binary),
            1.0);
  EXPECT_LE(worst<R>([](Vec<R> x) { return exp(x); }, [](auto x) { return std::exp(x); }, -natural,
                     natural),
            1.0);
}

TYPED_TEST(Math, ExponentialsLessOneKeepTheirRelativeAccuracyNearZero) {
  using R = TypeParam;
  for (double end : {1e-30, 1e-3, 0.4, 1.1, 30.0, this->kNatural}) {
    EXPECT_LE(worst<R>([](Vec<R> x) { return expm1(x); }, [](auto x) { return std::expm1(x); },
                       -end, end),
              2.1)
        << end;
  }
}

TYPED_TEST(Math, LogarithmIsWithinOneUlp) {
  using R = TypeParam;
  const Lane<R> f = [](Vec<R> x) { return log(x); };
  const Truth truth = [](auto x) { return std::log(x); };
  EXPECT_LE(worst<R>(f, truth, 0, static_cast<double>(std::numeric_limits<R>::max())), 1.0);
  EXPECT_LE(worst<R>(f, truth, 0.5, 2), 1.0);
}

TYPED_TEST(Math, TanhAndErfAreWithinTwoUlp) {
  using R = TypeParam;
  for (double end : {1.0, 3.0, 30.0}) {
    EXPECT_LE(
        worst<R>([](Vec<R> x) { return tanh(x); }, [](auto x) { return std::tanh(x); }, -end, end),
        1.6);
    EXPECT_LE(
        worst<R>([](Vec<R> x) { return erf(x); }, [](auto x) { return std::erf(x); }, -end, end),
        1.6);
  }
}

TYPED_TEST(Math, SineAndCosineAreWithinThreeUlpOfAnyAngleTheyAccept) {
  using R = TypeParam;
  for (double end : {1.0, 10.0, this->kFloat ? 0x1p22 : 0x1p40}) {
    EXPECT_LE(
        worst<R>([](Vec<R> x) { return sin(x); }, [](auto x) { return std::sin(x); }, -end, end),
        2.2);
    EXPECT_LE(
        worst<R>([](Vec<R> x) { return cos(x); }, [](auto x) { return std::cos(x); }, -end, end),
        2.2);
  }
}

TYPED_TEST(Math, SigmoidAndTheNormalDistributionKeepTheirRelativeAccuracyInTheTail) {
  using R = TypeParam;
  const double natural = this->kNatural - 4, normal_end = this->kFloat ? 13 : 37;
  EXPECT_LE(worst<R>([](Vec<R> x) { return sigmoid(x); },
                     [](auto x) { return 1 / (1 + std::exp(-x)); }, -natural, natural),
            2.6);
  EXPECT_LE(worst<R>([](Vec<R> x) { return normal(x).density; }, phi<R>, -normal_end, normal_end),
            3.0);
  EXPECT_LE(worst<R>([](Vec<R> x) { return normal(x).cdf; },
                     [](auto x) { return std::erfc(-x * 0.70710678118654752440L) / 2; },
                     -normal_end, normal_end),
            8.0);
}

TYPED_TEST(Math, NanGivesNanWhateverItsPayload) {
  using R = TypeParam;
  for (const char* payload : {"", "1", "0x1ff", "0x3fffff"}) {
    const R nan = sizeof(R) == 4 ? static_cast<R>(std::nanf(payload)) : R(std::nan(payload));
    for (const R x : {nan, -nan}) {
      EXPECT_TRUE(std::isnan(exp2(x)));
      EXPECT_TRUE(std::isnan(exp(x)));
      EXPECT_TRUE(std::isnan(log(x)));
      EXPECT_TRUE(std::isnan(tanh(x)));
      EXPECT_TRUE(std::isnan(erf(x)));
      EXPECT_TRUE(std::isnan(sigmoid(x)));
      EXPECT_TRUE(std::isnan(sin(x)));
      EXPECT_TRUE(std::isnan(cos(x)));
      EXPECT_TRUE(std::isnan(normal(Vec<R>(x)).cdf[0]));
      EXPECT_TRUE(std::isnan(normal(Vec<R>(x)).density[0]));
    }
  }
}

TYPED_TEST(Math, InfinitiesGiveTheLimits) {
  using R = TypeParam;
  const R inf = this->kInfinity;
  EXPECT_EQ(exp2(inf), inf);
  EXPECT_EQ(exp2(-inf), R(0));
  EXPECT_EQ(exp(inf), inf);
  EXPECT_EQ(exp(-inf), R(0));
  EXPECT_EQ(log(inf), inf);
  EXPECT_EQ(tanh(inf), R(1));
  EXPECT_EQ(tanh(-inf), R(-1));
  EXPECT_EQ(erf(inf), R(1));
  EXPECT_EQ(erf(-inf), R(-1));
  EXPECT_EQ(sigmoid(inf), R(1));
  EXPECT_EQ(sigmoid(-inf), R(0));
  EXPECT_EQ(normal(Vec<R>(inf)).cdf[0], R(1));
  EXPECT_EQ(normal(Vec<R>(-inf)).cdf[0], R(0));
  EXPECT_EQ(normal(Vec<R>(-inf)).density[0], R(0));
}

TYPED_TEST(Math, ArgumentsOutsideTheDomainGiveNan) {
  using R = TypeParam;
  EXPECT_TRUE(std::isnan(log(R(-1))));
  EXPECT_TRUE(std::isnan(log(-this->kInfinity)));
  const R beyond = R(this->kFloat ? 0x1.000002p22 : 0x1.1p40);
  for (const R x : {this->kInfinity, -this->kInfinity, beyond}) {
    EXPECT_TRUE(std::isnan(sin(x)));
    EXPECT_TRUE(std::isnan(cos(x)));
  }
}

TYPED_TEST(Math, ZerosKeepTheirSigns) {
  using R = TypeParam;
  for (const R zero : {R(0), R(-0.0)}) {
    EXPECT_EQ(exp2(zero), R(1));
    EXPECT_EQ(exp(zero), R(1));
    EXPECT_EQ(log(zero), -this->kInfinity);
    EXPECT_EQ(cos(zero), R(1));
    EXPECT_EQ(sigmoid(zero), R(0.5));
    for (const R odd : {tanh(zero), erf(zero), sin(zero)}) {
      EXPECT_EQ(odd, R(0));
      EXPECT_EQ(std::signbit(odd), std::signbit(zero));
    }
  }
}

TYPED_TEST(Math, SubnormalsCountAsZero) {
  using R = TypeParam;
  for (const R tiny : {std::numeric_limits<R>::denorm_min(), std::numeric_limits<R>::min() / 2}) {
    EXPECT_EQ(exp(tiny), R(1));
    EXPECT_EQ(log(tiny), -this->kInfinity);
    EXPECT_EQ(log(-tiny), -this->kInfinity);
    EXPECT_NEAR(tanh(tiny), R(0), tiny);
    EXPECT_NEAR(sin(tiny), R(0), tiny);
  }
  EXPECT_EQ(exp2(R(1 - std::numeric_limits<R>::max_exponent)), R(0)) << "a subnormal result";
}

TYPED_TEST(Math, EdgesOfTheRangeAreExact) {
  using R = TypeParam;
  using Limits = std::numeric_limits<R>;
  const R bits = R(Limits::max_exponent);
  EXPECT_EQ(exp2(bits), this->kInfinity);
  EXPECT_TRUE(std::isfinite(exp2(std::nextafter(bits, R(0)))));
  for (int n = Limits::min_exponent; n < Limits::max_exponent; ++n) {
    ASSERT_EQ(exp2(R(n)), std::ldexp(R(1), n)) << "2^" << n;
  }
  EXPECT_TRUE(std::isfinite(exp(std::log(Limits::max()) * (1 - Limits::epsilon()))));
}

// A caller inside Threads::run flushes, a test's main thread doesn't: results must not tell.
TYPED_TEST(Math, FlushingSubnormalsChangesNoBit) {
  using R = TypeParam;
  const Stream stream(3);
  for (std::uint64_t i = 0; i < 2000; ++i) {
    const R x = static_cast<R>((stream.uniform(i) - 0.5) * 2 * this->kNatural);
    const R plain[] = {exp2(x), exp(x), tanh(x), erf(x), log(x)};
    const FlushSubnormals flush;
    const R flushed[] = {exp2(x), exp(x), tanh(x), erf(x), log(x)};
    ASSERT_EQ(std::memcmp(plain, flushed, sizeof plain), 0) << "at " << x;
  }
}

TYPED_TEST(Math, ANumberAloneIsAnyLaneOfAVector) {
  using R = TypeParam;
  R x[kLanes<R>];
  for (int i = 0; i < kLanes<R>; ++i) x[i] = R(0.37) * R(i) - R(2);
  const Vec<R> e = exp(load(x)), t = tanh(load(x)), c = normal(load(x)).cdf;
  for (int i = 0; i < kLanes<R>; ++i) {
    EXPECT_EQ(e[i], exp(x[i]));
    EXPECT_EQ(t[i], tanh(x[i]));
    EXPECT_EQ(c[i], normal(Vec<R>(x[i])).cdf[0]);
  }
}

}  // namespace
}  // namespace attune::kernels
