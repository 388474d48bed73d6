#pragma once

#include <immintrin.h>

#include <cstdint>
#include <type_traits>
#include <utility>

#include "base/shape.h"

// Vectors of the widest lanes the build allows, on GCC vector extensions: AVX-512 or AVX2 with FMA,
// one source for both. Lanes never talk to each other except in sum(), largest(),
// permute() and transpose().
namespace attune::kernels {

#if defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512BW__) && defined(__AVX512VL__)
inline constexpr int kVectorBytes = 64;
inline constexpr int kVectorRegisters = 32;
#elif defined(__AVX2__) && defined(__FMA__)
inline constexpr int kVectorBytes = 32;
inline constexpr int kVectorRegisters = 16;
#else
#error "attune's kernels need AVX2 with FMA: build for x86-64-v3, x86-64-v4 or native"
#endif

namespace detail {

// The plain GCC vectors of each element type, and the integer of an element's size.
template <class Real>
struct Plain;
template <>
struct Plain<float> {
  using Int = std::int32_t;
  typedef float Reals __attribute__((vector_size(kVectorBytes)));
  typedef Int Ints __attribute__((vector_size(kVectorBytes)));
};
template <>
struct Plain<double> {
  using Int = std::int64_t;
  typedef double Reals __attribute__((vector_size(kVectorBytes)));
  typedef Int Ints __attribute__((vector_size(kVectorBytes)));
};

}  // namespace detail

// Which lanes hold: all bits of a lane are 1 (yes) or 0 (no).
template <class Real>
struct Mask {
  typename detail::Plain<Real>::Ints bits;

  friend Mask operator&(Mask a, Mask b) { return {a.bits & b.bits}; }
  friend Mask operator|(Mask a, Mask b) { return {a.bits | b.bits}; }
  friend Mask operator~(Mask a) { return {~a.bits}; }
};

// kLanes numbers; arithmetic is lane by lane, and a number alone stands for a vector of it.
template <class Real>
struct Vec {
  static constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(Real));
  using Int = typename detail::Plain<Real>::Int;
  using Ints = typename detail::Plain<Real>::Ints;  // + - & << … apply to it
  using Reals = typename detail::Plain<Real>::Reals;

  Reals v;

  Vec() = default;
  Vec(Reals x) : v(x) {}           // NOLINT(google-explicit-constructor)
  Vec(Real x) : v(x - Reals{}) {}  // NOLINT(google-explicit-constructor)

  Real operator[](int lane) const { return v[lane]; }
  friend Vec operator+(Vec a, Vec b) { return a.v + b.v; }
  friend Vec operator-(Vec a, Vec b) { return a.v - b.v; }
  friend Vec operator*(Vec a, Vec b) { return a.v * b.v; }
  friend Vec operator/(Vec a, Vec b) { return a.v / b.v; }
  friend Vec operator-(Vec a) { return -a.v; }
  friend Mask<Real> operator<(Vec a, Vec b) { return {a.v < b.v}; }
  friend Mask<Real> operator<=(Vec a, Vec b) { return {a.v <= b.v}; }
  friend Mask<Real> operator>(Vec a, Vec b) { return {a.v > b.v}; }
  friend Mask<Real> operator>=(Vec a, Vec b) { return {a.v >= b.v}; }
  friend Mask<Real> operator==(Vec a, Vec b) { return {a.v == b.v}; }
  friend Mask<Real> operator!=(Vec a, Vec b) { return {a.v != b.v}; }
  Vec& operator+=(Vec b) { return *this = *this + b; }
  Vec& operator-=(Vec b) { return *this = *this - b; }
  Vec& operator*=(Vec b) { return *this = *this * b; }
};

template <class Real>
inline constexpr int kLanes = Vec<Real>::kLanes;

// a where the mask holds, else b.
template <class Real>
inline Vec<Real> select(Mask<Real> mask, Vec<Real> a, std::type_identity_t<Vec<Real>> b) {
  return mask.bits ? a.v : b.v;
}
// a > b ? a : b, and a < b ? a : b: b when either is NaN. By name, because compilers make a
// comparison and a blend of the expression.
inline Vec<float> max(Vec<float> a, Vec<float> b);
inline Vec<double> max(Vec<double> a, Vec<double> b);
inline Vec<float> min(Vec<float> a, Vec<float> b);
inline Vec<double> min(Vec<double> a, Vec<double> b);

template <class Real>
inline typename Vec<Real>::Ints bits_of(Vec<Real> x) {
  return reinterpret_cast<typename Vec<Real>::Ints>(x.v);
}
template <class Real>
inline Vec<Real> from_bits(typename Vec<Real>::Ints x) {
  return reinterpret_cast<typename Vec<Real>::Reals>(x);
}
// 0, 1, 2, …
template <class Real>
inline typename Vec<Real>::Ints lane_numbers() {
  return []<int... I>(std::integer_sequence<int, I...>) { return typename Vec<Real>::Ints{I...}; }
  (std::make_integer_sequence<int, kLanes<Real>>{});
}
// Lanes 0 … n−1.
template <class Real>
inline Mask<Real> first_lanes(Index n) {
  return {lane_numbers<Real>() < static_cast<typename Vec<Real>::Int>(n)};
}

// Bit l is lane l.
inline unsigned lane_bits(Mask<float> mask);
inline unsigned lane_bits(Mask<double> mask);

// Any address; whole vectors.
template <class Real>
inline Vec<Real> load(const Real* p) {
  Vec<Real> x;
  __builtin_memcpy(&x.v, p, kVectorBytes);
  return x;
}
template <class Real>
inline void store(Real* p, Vec<Real> x) {
  __builtin_memcpy(p, &x.v, kVectorBytes);
}

// The first n elements, 0 ≤ n ≤ kLanes; memory beyond them is not touched, lanes beyond them read
// 0.
inline Vec<float> load_n(const float* p, Index n);
inline Vec<double> load_n(const double* p, Index n);
inline void store_n(float* p, Index n, Vec<float> x);
inline void store_n(double* p, Index n, Vec<double> x);

// a · b + c in one rounding, at every optimisation level.
inline Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c);
inline Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c);
// Lane l takes x's lane places[l], 0 ≤ places[l] < kLanes.
inline Vec<float> permute(Vec<float> x, Vec<float>::Ints places);
inline Vec<double> permute(Vec<double> x, Vec<double>::Ints places);
inline Vec<float> sqrt(Vec<float> x);
inline Vec<double> sqrt(Vec<double> x);

#if defined(__AVX512F__)
inline Vec<float> load_n(const float* p, Index n) {
  return Vec<float>(_mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << n) - 1), p));
}
inline Vec<double> load_n(const double* p, Index n) {
  return Vec<double>(_mm512_maskz_loadu_pd(static_cast<__mmask8>((1U << n) - 1), p));
}
inline void store_n(float* p, Index n, Vec<float> x) {
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1U << n) - 1), x.v);
}
inline void store_n(double* p, Index n, Vec<double> x) {
  _mm512_mask_storeu_pd(p, static_cast<__mmask8>((1U << n) - 1), x.v);
}
inline unsigned lane_bits(Mask<float> mask) {
  return _mm512_movepi32_mask(reinterpret_cast<__m512i>(mask.bits));
}
inline unsigned lane_bits(Mask<double> mask) {
  return _mm512_movepi64_mask(reinterpret_cast<__m512i>(mask.bits));
}
inline Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {
  return Vec<float>(_mm512_fmadd_ps(a.v, b.v, c.v));
}
inline Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
  return Vec<double>(_mm512_fmadd_pd(a.v, b.v, c.v));
}
inline Vec<float> permute(Vec<float> x, Vec<float>::Ints places) {
  return Vec<float>(_mm512_maskz_permutexvar_ps(0xFFFF, reinterpret_cast<__m512i>(places), x.v));
}
inline Vec<double> permute(Vec<double> x, Vec<double>::Ints places) {
  return Vec<double>(_mm512_maskz_permutexvar_pd(0xFF, reinterpret_cast<__m512i>(places), x.v));
}
inline Vec<float> sqrt(Vec<float> x) { return Vec<float>(_mm512_maskz_sqrt_ps(0xFFFF, x.v)); }
inline Vec<double> sqrt(Vec<double> x) { return Vec<double>(_mm512_maskz_sqrt_pd(0xFF, x.v)); }
inline Vec<float> max(Vec<float> a, Vec<float> b) {
  return Vec<float>(_mm512_maskz_max_ps(0xFFFF, a.v, b.v));
}
inline Vec<double> max(Vec<double> a, Vec<double> b) {
  return Vec<double>(_mm512_maskz_max_pd(0xFF, a.v, b.v));
}
inline Vec<float> min(Vec<float> a, Vec<float> b) {
  return Vec<float>(_mm512_maskz_min_ps(0xFFFF, a.v, b.v));
}
inline Vec<double> min(Vec<double> a, Vec<double> b) {
  return Vec<double>(_mm512_maskz_min_pd(0xFF, a.v, b.v));
}
#else
inline Vec<float> max(Vec<float> a, Vec<float> b) { return Vec<float>(_mm256_max_ps(a.v, b.v)); }
inline Vec<double> max(Vec<double> a, Vec<double> b) {
  return Vec<double>(_mm256_max_pd(a.v, b.v));
}
inline Vec<float> min(Vec<float> a, Vec<float> b) { return Vec<float>(_mm256_min_ps(a.v, b.v)); }
inline Vec<double> min(Vec<double> a, Vec<double> b) {
  return Vec<double>(_mm256_min_pd(a.v, b.v));
}
inline Vec<float> load_n(const float* p, Index n) {
  return Vec<float>(_mm256_maskload_ps(p, reinterpret_cast<__m256i>(first_lanes<float>(n).bits)));
}
inline Vec<double> load_n(const double* p, Index n) {
  return Vec<double>(_mm256_maskload_pd(p, reinterpret_cast<__m256i>(first_lanes<double>(n).bits)));
}
inline void store_n(float* p, Index n, Vec<float> x) {
  _mm256_maskstore_ps(p, reinterpret_cast<__m256i>(first_lanes<float>(n).bits), x.v);
}
inline void store_n(double* p, Index n, Vec<double> x) {
  _mm256_maskstore_pd(p, reinterpret_cast<__m256i>(first_lanes<double>(n).bits), x.v);
}
inline unsigned lane_bits(Mask<float> mask) {
  return static_cast<unsigned>(_mm256_movemask_ps(reinterpret_cast<__m256>(mask.bits)));
}
inline unsigned lane_bits(Mask<double> mask) {
  return static_cast<unsigned>(_mm256_movemask_pd(reinterpret_cast<__m256d>(mask.bits)));
}
inline Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {
  return Vec<float>(_mm256_fmadd_ps(a.v, b.v, c.v));
}
inline Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
  return Vec<double>(_mm256_fmadd_pd(a.v, b.v, c.v));
}
inline Vec<float> permute(Vec<float> x, Vec<float>::Ints places) {
  return Vec<float>(_mm256_permutevar8x32_ps(x.v, reinterpret_cast<__m256i>(places)));
}
inline Vec<double> permute(Vec<double> x, Vec<double>::Ints places) {
  // As halves, of which lane p has 2p and 2p + 1.
  const auto halves = (2 * places) | ((2 * places + 1) << 32);
  return reinterpret_cast<Vec<double>::Reals>(_mm256_permutevar8x32_epi32(
      reinterpret_cast<__m256i>(x.v), reinterpret_cast<__m256i>(halves)));
}
inline Vec<float> sqrt(Vec<float> x) { return Vec<float>(_mm256_sqrt_ps(x.v)); }
inline Vec<double> sqrt(Vec<double> x) { return Vec<double>(_mm256_sqrt_pd(x.v)); }
#endif

// Of n ≤ kVectorBytes / sizeof(T) numbers those whose bit is set, one behind the other; a whole
// vector of `to` may be written.
template <class T>
inline void pack_lanes(const T* from, Index n, unsigned bits, T* to) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) {
    const auto all = static_cast<__mmask16>((1U << n) - 1), some = static_cast<__mmask16>(bits);
    _mm512_storeu_si512(to, _mm512_maskz_compress_epi32(some, _mm512_maskz_loadu_epi32(all, from)));
  } else {
    const auto all = static_cast<__mmask8>((1U << n) - 1), some = static_cast<__mmask8>(bits);
    _mm512_storeu_si512(to, _mm512_maskz_compress_epi64(some, _mm512_maskz_loadu_epi64(all, from)));
  }
#else
  for (; bits != 0; bits &= bits - 1) *to++ = from[__builtin_ctz(bits)];
#endif
}

namespace detail {

// Lane i takes lane i xor kStep.
template <int kStep, class Real>
inline Vec<Real> swap_lanes(Vec<Real> x) {
  return [&]<int... I>(std::integer_sequence<int, I...>) {
    return Vec<Real>(__builtin_shufflevector(x.v, x.v, (I ^ kStep)...));
  }
  (std::make_integer_sequence<int, kLanes<Real>>{});
}

// Exchanges a's lanes that have bit kStep with b's lanes that have not.
template <int kStep, class Real>
inline void exchange(Vec<Real>& a, Vec<Real>& b) {
  constexpr int n = kLanes<Real>;
  [&]<int... I>(std::integer_sequence<int, I...>) {
    const Vec<Real> low(__builtin_shufflevector(a.v, b.v, (I & kStep ? n + (I ^ kStep) : I)...));
    const Vec<Real> high(__builtin_shufflevector(a.v, b.v, (I & kStep ? n + I : (I ^ kStep))...));
    a = low;
    b = high;
  }
  (std::make_integer_sequence<int, n>{});
}

template <int kStep, class Real>
inline void transpose_from(Vec<Real> (&rows)[static_cast<std::size_t>(kLanes<Real>)]) {
  if constexpr (kStep < kLanes<Real>) {
#pragma GCC unroll 16
    for (int i = 0; i < kLanes<Real>; ++i) {
      if ((i & kStep) == 0) exchange<kStep>(rows[i], rows[i | kStep]);
    }
    transpose_from<2 * kStep>(rows);
  }
}

template <int kStep, class Real>
inline void sum_from(Vec<Real> (&rows)[static_cast<std::size_t>(kLanes<Real>)]) {
  if constexpr (kStep > 0) {
#pragma GCC unroll 16
    for (int i = 0; i < kStep; ++i) {
      exchange<kStep>(rows[i], rows[i + kStep]);
      rows[i] += rows[i + kStep];
    }
    sum_from<kStep / 2>(rows);
  }
}

template <int kStep, class Real, class Join>
inline Real reduce(Vec<Real> x, Join join) {
  if constexpr (kStep == 0) {
    return x[0];
  } else {
    return reduce<kStep / 2>(join(x, swap_lanes<kStep>(x)), join);
  }
}

}  // namespace detail

// Sum of the lanes, always as the same tree of halves.
template <class Real>
inline Real sum(Vec<Real> x) {
  return detail::reduce<kLanes<Real> / 2>(x, [](Vec<Real> a, Vec<Real> b) { return a + b; });
}
// Lane r is sum(rows[r]), in the same tree, whose steps all of them share; rows become rubbish.
template <class Real>
inline Vec<Real> sums(Vec<Real> (&rows)[static_cast<std::size_t>(kLanes<Real>)]) {
  detail::sum_from<kLanes<Real> / 2>(rows);
  return rows[0];
}
// Largest lane; unspecified if a lane is NaN.
template <class Real>
inline Real largest(Vec<Real> x) {
  return detail::reduce<kLanes<Real> / 2>(x, [](Vec<Real> a, Vec<Real> b) { return max(a, b); });
}

// rows[i] lane j becomes rows[j] lane i.
template <class Real>
inline void transpose(Vec<Real> (&rows)[static_cast<std::size_t>(kLanes<Real>)]) {
  detail::transpose_from<1>(rows);
}

}  // namespace attune::kernels
