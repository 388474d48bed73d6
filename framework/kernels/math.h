#pragma once

#include <limits>

#include "kernels/math_coefficients.h"
#include "kernels/simd.h"

// Elementary functions of our own, because libm's bits differ between its versions and it is ten
// times slower. One sequence of vector instructions serves every lane, and a number alone is a
// vector's lane: an element's bits depend on its value alone.
// NaN gives NaN. Subnormal results may be zero (exp2 and exp always flush them), and log takes a
// subnormal for zero.
// Greatest error in ulp, asserted over the whole range by tests/kernels/math_test.cpp:
//   exp2, exp, log 1.0   expm1 2.1   tanh, erf 1.6   sin, cos 2.2   sigmoid 2.6   normal: density
//   3, cdf 8
namespace attune::kernels {

namespace detail {

template <class Real, std::size_t n>
inline Vec<Real> polynomial(Vec<Real> x, const std::array<Real, n>& c) {
  Vec<Real> y = c[n - 1];
#pragma GCC unroll 32
  for (std::size_t i = n - 1; i > 0; --i) y = fma(y, x, Vec<Real>(c[i - 1]));
  return y;
}

// `magnitude` with the sign of `sign`.
template <class Real>
inline Vec<Real> with_sign(Vec<Real> magnitude, Vec<Real> sign) {
  const auto bit = bits_of(Vec<Real>(Real(-0.0)));
  return from_bits<Real>((bits_of(magnitude) & ~bit) | (bits_of(sign) & bit));
}
template <class Real>
inline Vec<Real> magnitude(Vec<Real> x) {
  return from_bits<Real>(bits_of(x) & ~bits_of(Vec<Real>(Real(-0.0))));
}

// An integer n and the factor 2ⁿ⁻¹, from x + kShift with x within ½ of n: the sum's low bits hold
// n plus the bias less one. n = 1 − bias makes the factor zero, which is where results flush.
template <class Real>
struct PowerOfTwo {
  static constexpr Real kShift =
      MathConstants<Real>::kRound + MathConstants<Real>::kExponentBias - 1;
  Vec<Real> n, half_scale;
  explicit PowerOfTwo(Vec<Real> shifted)
      : n(shifted - Vec<Real>(kShift)),
        half_scale(from_bits<Real>(bits_of(shifted) << MathConstants<Real>::kMantissaBits)) {}
};

// x within [low, high]; NaN stays. max and min return their second operand then.
template <class Real>
inline Vec<Real> clamp(Vec<Real> x, Real low, Real high) {
  return min(Vec<Real>(high), max(Vec<Real>(low), x));
}

}  // namespace detail

// 2ˣ. Results up to 2⁻¹²⁵·⁵ (double 2⁻¹⁰²¹·⁵) are 0, so that −∞ costs no branch.
template <class Real>
inline Vec<Real> exp2(Vec<Real> x) {
  using C = detail::MathConstants<Real>;
  constexpr Real one_below = Real(1 - C::kExponentBias), above = Real(C::kExponentBias + 1);
  x = detail::clamp(x, one_below, above);
  const detail::PowerOfTwo<Real> p(x + Vec<Real>(detail::PowerOfTwo<Real>::kShift));
  const Vec<Real> f = x - p.n;
  const Vec<Real> q = detail::polynomial(f, C::kExp2);
  // 2·2ᶠ, since the scale is halved.
  return fma(f, q + q, Vec<Real>(2)) * p.half_scale;
}

// eˣ; e⁻⁸⁷ (double e⁻⁷⁰⁸·¹) and below is 0.
template <class Real>
inline Vec<Real> exp(Vec<Real> x) {
  using C = detail::MathConstants<Real>;
  x = detail::clamp(x, C::kExpLow, C::kExpHigh);
  const detail::PowerOfTwo<Real> p(
      fma(x, Vec<Real>(C::kLog2e), Vec<Real>(detail::PowerOfTwo<Real>::kShift)));
  const Vec<Real> f = fma(p.n, Vec<Real>(-C::kLn2Low), fma(p.n, Vec<Real>(-C::kLn2High), x));
  const Vec<Real> q = fma(f, detail::polynomial(f, C::kExp), Vec<Real>(1));
  return fma(f, q + q, Vec<Real>(2)) * p.half_scale;
}

// eˣ − 1 without cancellation near 0; −1 where exp is 0.
template <class Real>
inline Vec<Real> expm1(Vec<Real> x) {
  using C = detail::MathConstants<Real>;
  x = detail::clamp(x, C::kExpLow, C::kExpHigh);
  const detail::PowerOfTwo<Real> p(
      fma(x, Vec<Real>(C::kLog2e), Vec<Real>(detail::PowerOfTwo<Real>::kShift)));
  const Vec<Real> f = fma(p.n, Vec<Real>(-C::kLn2Low), fma(p.n, Vec<Real>(-C::kLn2High), x));
  const Vec<Real> less_one = fma(f * f, detail::polynomial(f, C::kExp), f);  // eᶠ − 1
  const Vec<Real> half = fma(less_one, p.half_scale, p.half_scale - Vec<Real>(Real(0.5)));
  return half + half;
}

// Natural logarithm; −∞ at ±0, NaN below. x = 2ᵏ·(1 + f) with 1 + f in [√½, √2), s = f/(2 + f):
// ln(1 + f) = f − (f²/2 − s·(f²/2 + R(s²))), as in FreeBSD's msun.
template <class Real>
inline Vec<Real> log(Vec<Real> x) {
  using C = detail::MathConstants<Real>;
  using V = Vec<Real>;
  const auto root_half = bits_of(V(Real(0x1.6a09e667f3bcdp-1)));
  const auto mantissa = bits_of(V(C::kSmallestNormal)) - 1;
  const V positive = select(x < V(C::kSmallestNormal), V(1), x);  // the others are told below
  const auto shifted = bits_of(positive) - root_half;
  const V k = from_bits<Real>(bits_of(V(C::kRound)) + (shifted >> C::kMantissaBits)) - V(C::kRound);
  const V f = from_bits<Real>((shifted & mantissa) + root_half) - V(1);
  const V s = f / (V(2) + f);
  const V z = s * s;
  const V r = z * detail::polynomial(z, C::kLog);
  const V t = fma(k, V(C::kLn2Low), s * fma(V(Real(0.5)) * f, f, r));
  const V y = fma(k, V(C::kLn2High), f - fma(V(Real(0.5)) * f, f, -t));
  const V infinity = std::numeric_limits<Real>::infinity();
  const V nan = std::numeric_limits<Real>::quiet_NaN();
  const V of_small = select(x > V(-C::kSmallestNormal), -infinity, nan);
  const V finite = select(x < V(C::kSmallestNormal), of_small, y);
  return select((x == infinity) | (x != x), x, finite);
}

template <class Real>
inline Vec<Real> tanh(Vec<Real> x) {
  using C = detail::MathConstants<Real>;
  using V = Vec<Real>;
  const V a = detail::magnitude(x), z = a * a;
  const V small = fma(z * detail::polynomial(z, C::kTanh), a, a);
  const V large = V(1) - V(2) / (exp(a + a) + V(1));
  return detail::with_sign(select(a < V(Real(0.625)), small, large), x);
}

// σ(x) = 1/(1 + e⁻ˣ) and 1 − σ(x) = σ(−x), the smaller of them without cancellation.
template <class Real>
struct Logistic {
  Vec<Real> value, complement;
};
template <class Real>
inline Logistic<Real> logistic(Vec<Real> x) {
  const Vec<Real> e = exp(-detail::magnitude(x));
  const Vec<Real> larger = Vec<Real>(1) / (Vec<Real>(1) + e), smaller = e * larger;
  const auto right = x > Vec<Real>(0);
  return {select(right, larger, smaller), select(right, smaller, larger)};
}
template <class Real>
inline Vec<Real> sigmoid(Vec<Real> x) {
  return logistic(x).value;
}

// The standard normal distribution: Φ(x) = ½(1 + erf(x/√2)), φ(x) = e^(−x²/2)/√(2π).
template <class Real>
struct Normal {
  Vec<Real> cdf, density;
};

namespace detail {

// Mills' ratio Φ(−a)/φ(a), a in [0, kMillsEnd].
template <class Real>
inline Vec<Real> mills(Vec<Real> a) {
  using C = MathConstants<Real>;
  const Vec<Real> t = Vec<Real>(1) / fma(a, Vec<Real>(C::kMillsScale), Vec<Real>(1));
  return t * polynomial(fma(Vec<Real>(2), t, Vec<Real>(-1)), C::kMills);
}

}  // namespace detail

// Both at once, for GELU and its derivative. The left tail keeps its relative accuracy: what
// squaring rounds away goes into the exponential to first order.
template <class Real>
inline Normal<Real> normal(Vec<Real> x) {
  using C = detail::MathConstants<Real>;
  using V = Vec<Real>;
  const V a = min(V(C::kMillsEnd), detail::magnitude(x));
  const V square = a * a;
  const V lost = fma(a, a, -square);
  const V e = exp(V(Real(-0.5)) * square);
  const V density = V(Real(0x1.9884533d43651p-2)) * fma(e, V(Real(-0.5)) * lost, e);
  const V tail = density * detail::mills(a);
  return {select(x > V(0), V(1) - tail, tail), density};
}

template <class Real>
inline Vec<Real> erf(Vec<Real> x) {
  using C = detail::MathConstants<Real>;
  using V = Vec<Real>;
  const V a = detail::magnitude(x), z = a * a;
  const V small = fma(a, detail::polynomial(z, C::kErf), a);
  // erfc(a) = 2 Φ(−√2 a) = √(2/π) · e^(−a²) · Mills(√2 a).
  const V scaled = min(V(C::kMillsEnd), a * V(Real(0x1.6a09e667f3bcdp0)));
  const V large = fma(V(Real(-0x1.9884533d43651p-1)) * exp(-z), detail::mills(scaled), V(1));
  return detail::with_sign(select(a < V(1), small, large), x);
}

namespace detail {

// sin (phase 0) or cos (phase 1) by Cody and Waite's reduction with x − n·π/2 in three parts.
template <int kPhase, class Real>
inline Vec<Real> sine(Vec<Real> x) {
  using C = MathConstants<Real>;
  using V = Vec<Real>;
  const V shifted = fma(x, V(Real(0x1.45f306dc9c883p-1)), V(C::kRound));
  const V n = shifted - V(C::kRound);
  V r = x;
  for (Real part : C::kHalfPi) r = fma(n, V(-part), r);
  const V z = r * r;
  const V s = fma(z * polynomial(z, C::kSin), r, r);
  const V c = fma(z, fma(z, polynomial(z, C::kCos), V(Real(-0.5))), V(1));
  const auto quadrant = (bits_of(shifted) & 3) + kPhase;  // masked first: NaN has all bits
  const V y = select(Mask<Real>{(quadrant & 1) != 0}, c, s);
  const auto sign = (quadrant & 2) << (8 * sizeof(Real) - 2);
  const V nan = std::numeric_limits<Real>::quiet_NaN();
  V signed_y = from_bits<Real>(bits_of(y) ^ sign);
  if constexpr (kPhase == 0) signed_y = select(x == V(0), x, signed_y);  // sin(−0) = −0
  return select(magnitude(x) <= V(C::kTrigonometricEnd), signed_y, nan);
}

}  // namespace detail

// Radians, |x| ≤ 2²² (double 2⁴⁰); NaN beyond, where the reduction would lose its digits.
template <class Real>
inline Vec<Real> sin(Vec<Real> x) {
  return detail::sine<0>(x);
}
template <class Real>
inline Vec<Real> cos(Vec<Real> x) {
  return detail::sine<1>(x);
}

inline float exp2(float x) { return exp2(Vec<float>(x))[0]; }
inline double exp2(double x) { return exp2(Vec<double>(x))[0]; }
inline float exp(float x) { return exp(Vec<float>(x))[0]; }
inline double exp(double x) { return exp(Vec<double>(x))[0]; }
inline float log(float x) { return log(Vec<float>(x))[0]; }
inline double log(double x) { return log(Vec<double>(x))[0]; }
inline float tanh(float x) { return tanh(Vec<float>(x))[0]; }
inline double tanh(double x) { return tanh(Vec<double>(x))[0]; }
inline float sigmoid(float x) { return sigmoid(Vec<float>(x))[0]; }
inline double sigmoid(double x) { return sigmoid(Vec<double>(x))[0]; }
inline float erf(float x) { return erf(Vec<float>(x))[0]; }
inline double erf(double x) { return erf(Vec<double>(x))[0]; }
inline float sin(float x) { return sin(Vec<float>(x))[0]; }
inline double sin(double x) { return sin(Vec<double>(x))[0]; }
inline float cos(float x) { return cos(Vec<float>(x))[0]; }
inline double cos(double x) { return cos(Vec<double>(x))[0]; }

}  // namespace attune::kernels
