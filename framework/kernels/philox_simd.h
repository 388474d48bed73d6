#pragma once

#include <algorithm>

#include "kernels/simd.h"

namespace attune::kernels {

// A plain GCC vector of 64-bit words (8 or 4): one Philox instance a lane.
typedef std::uint64_t Words __attribute__((vector_size(kVectorBytes)));
inline constexpr int kPhiloxLanes = kVectorBytes / 8;

// The keys of Philox's ten rounds, made once for many counters: in memory, from where an
// instruction spreads one over its lanes as it reads it.
struct PhiloxKeys {
  std::uint64_t first[10], second[10];

  explicit PhiloxKeys(std::uint64_t key) {
    auto k0 = static_cast<std::uint32_t>(key), k1 = static_cast<std::uint32_t>(key >> 32);
    for (int round = 0; round < 10; ++round, k0 += 0x9E3779B9U, k1 += 0xBB67AE85U) {
      first[round] = k0;
      second[round] = k1;
    }
  }
};

// What base/philox.h gives for one counter, for a counter a lane. Going in, each word of the
// counter stands in the low half of its lane and high halves are zero; coming out, a lane holds
// word 0 | word 1 << 32, and word 2 | word 3 << 32.
struct PhiloxWords {
  Words w01, w23;
};

namespace detail {

// Products of the low halves, 64 bits wide; what the high halves hold is ignored.
inline Words multiply_low(Words a, Words b) {
#if defined(__AVX512F__)
  // The form with a mask: GCC 12 warns of its own uninitialised operand in the plain one.
  return reinterpret_cast<Words>(
      _mm512_maskz_mul_epu32(0xFF, reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
#else
  return reinterpret_cast<Words>(
      _mm256_mul_epu32(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
#endif
}

}  // namespace detail

inline PhiloxWords philox_lanes(Words c0, Words c1, Words c2, Words c3, const PhiloxKeys& keys) {
  const Words m0 = Words{} + 0xD2511F53U, m1 = Words{} + 0xCD9E8D57U;
  // High halves collect rubbish (c1 and c3 are whole products) that no round reads: the
  // multiplication ignores them.
#pragma GCC unroll 10
  for (int round = 0; round < 10; ++round) {
    const Words p0 = detail::multiply_low(c0, m0), p1 = detail::multiply_low(c2, m1);
    c0 = (p1 >> 32) ^ c1 ^ (Words{} + keys.first[round]);
    c2 = (p0 >> 32) ^ c3 ^ (Words{} + keys.second[round]);
    c1 = p1;
    c3 = p0;
  }
  const Words low = Words{} + 0xFFFFFFFFU;
  return {(c0 & low) | (c1 << 32), (c2 & low) | (c3 << 32)};
}

// The 16-bit draws of a row of dropout in groups of 64 columns, laid out so that no vector width
// shows in them. An element is kept iff its draw is at least round(65536 p). With column = 64 g +
// 16 b + l:
//   counter = {head << 20 | 8 g + l / 2, row, example, step},  draw = half (b mod 2) of word 2 (b /
//   2) + l mod 2.
class DropoutDraws {
 public:
  static constexpr int kColumns = 64;

  // Group g of (head, row, example, step): columns 64 g … 64 g + 63.
  DropoutDraws(const PhiloxKeys& key, std::uint32_t head, std::uint32_t row, std::uint32_t example,
               std::uint32_t step, Index group) {
    const Words first = Words{} + (head << 20 | static_cast<std::uint32_t>(8 * group));
    for (int part = 0; part < 8 / kPhiloxLanes; ++part) {
      const Words instance = first + lanes() + static_cast<std::uint64_t>(part * kPhiloxLanes);
      const PhiloxWords w =
          philox_lanes(instance, Words{} + row, Words{} + example, Words{} + step, key);
      words_[0][part] = w.w01;
      words_[1][part] = w.w23;
    }
  }

  // Of columns v·kLanes … of the group (v < 64 / kLanes<Real>), those that are kept at this
  // threshold.
  template <class Real>
  Mask<Real> kept(int v, std::uint32_t threshold) const {
    using Int = typename Vec<Real>::Int;
    typedef std::uint32_t Quarter __attribute__((vector_size(4 * kLanes<Real>)));
    const int b = v * kLanes<Real> / 16;
    Quarter q;
    __builtin_memcpy(&q,
                     reinterpret_cast<const std::uint32_t*>(words_[b / 2]) + v * kLanes<Real> % 16,
                     sizeof(q));
    const Quarter draws = b % 2 == 0 ? q & 0xFFFFU : q >> 16;
    return {__builtin_convertvector(draws, typename Vec<Real>::Ints) >=
            static_cast<Int>(threshold)};
  }

 private:
  static Words lanes() {
    Words n;
    for (int i = 0; i < kPhiloxLanes; ++i) n[i] = static_cast<std::uint64_t>(i);
    return n;
  }

  // Of the draws of columns 16 b … in both, and in registers where loops over v are unrolled.
  Words words_[2][8 / kPhiloxLanes];
};

// The draws of DropoutDraws of single cells: draws[t] is that of heads(t), rows(t), columns(t),
// which give the numbers from t on as vectors, t a multiple of kPhiloxLanes; what they give beyond
// n is not used. An instance holds eight columns, of which one is used.
template <class Heads, class RowNumbers, class Columns>
void dropout_cells(const PhiloxKeys& key, std::uint32_t example, std::uint32_t step,
                   const Heads& heads, const RowNumbers& rows, const Columns& columns, Index n,
                   std::uint32_t* draws) {
  typedef std::uint32_t Halves __attribute__((vector_size(kVectorBytes / 2)));
  for (Index t = 0; t < n; t += kPhiloxLanes) {
    const Words column = columns(t);
    const Words instance = (column >> 6 << 3) | (column >> 1 & 7);
    const PhiloxWords w =
        philox_lanes(heads(t) << 20 | instance, rows(t), Words{} + example, Words{} + step, key);
    const Words second = -(column >> 5 & 1);  // all ones where the draw stands in w23
    const Words word = (w.w01 & ~second) | (w.w23 & second);
    const Words draw = word >> ((column & 1) << 5 | (column >> 4 & 1) << 4) & 0xFFFF;
    const Halves halves = __builtin_convertvector(draw, Halves);
    if (t + kPhiloxLanes <= n) {  // apart, because a copy of unknown length is a call
      __builtin_memcpy(draws + t, &halves, sizeof(halves));
    } else {
      __builtin_memcpy(draws + t, &halves, static_cast<std::size_t>(n - t) * sizeof(std::uint32_t));
    }
  }
}

// Which of kLanes draws keep at this threshold.
template <class Real>
inline Mask<Real> kept_draws(const std::uint32_t* draws, std::uint32_t threshold) {
  typedef std::uint32_t Some __attribute__((vector_size(4 * kLanes<Real>)));
  Some some;
  __builtin_memcpy(&some, draws, sizeof(some));
  return {__builtin_convertvector(some, typename Vec<Real>::Ints) >=
          static_cast<typename Vec<Real>::Int>(threshold)};
}

// n draws and those that fill up the last vector.
inline Index whole_draws(Index n) { return (n + kPhiloxLanes - 1) / kPhiloxLanes * kPhiloxLanes; }

// kPhiloxLanes numbers as words for dropout_cells.
inline Words words_of(const std::int32_t* numbers) {
  typedef std::uint32_t Halves __attribute__((vector_size(kVectorBytes / 2)));
  Halves some;
  __builtin_memcpy(&some, numbers, sizeof(some));
  return __builtin_convertvector(some, Words);
}

// dropout_cells of one head and column.
template <class RowNumbers>
void dropout_column(const PhiloxKeys& key, std::uint32_t head, std::uint32_t column,
                    std::uint32_t example, std::uint32_t step, const RowNumbers& rows, Index n,
                    std::uint32_t* draws) {
  dropout_cells(
      key, example, step, [&](Index) { return Words{} + head; }, rows,
      [&](Index) { return Words{} + column; }, n, draws);
}

}  // namespace attune::kernels
