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

// A counter a lane, as four vectors.
struct PhiloxCounters {
  Words c0, c1, c2, c3;
};

// How many vectors of counters go side by side, one hiding the latency of another's
// multiplications: as many as registers hold.
inline constexpr int kPhiloxAtOnce = kVectorRegisters == 32 ? 4 : 1;

inline constexpr std::uint32_t kPhiloxFactors[] = {0xD2511F53U, 0xCD9E8D57U};

// The rounds from kFirst on.
template <int kN, int kFirst = 0>
inline void philox_rounds(const PhiloxKeys& keys, PhiloxCounters (&counters)[kN]) {
  const Words m0 = Words{} + kPhiloxFactors[0], m1 = Words{} + kPhiloxFactors[1];
  // High halves collect rubbish (c1 and c3 are whole products) that no round reads: the
  // multiplication ignores them.
#pragma GCC unroll 10
  for (int round = kFirst; round < 10; ++round) {
#pragma GCC unroll 4
    for (int i = 0; i < kN; ++i) {
      auto& [c0, c1, c2, c3] = counters[i];
      const Words p0 = detail::multiply_low(c0, m0), p1 = detail::multiply_low(c2, m1);
      c0 = (p1 >> 32) ^ c1 ^ (Words{} + keys.first[round]);
      c2 = (p0 >> 32) ^ c3 ^ (Words{} + keys.second[round]);
      c1 = p1;
      c3 = p0;
    }
  }
}

template <int kN>
inline void philox_lanes(const PhiloxKeys& keys, PhiloxCounters (&counters)[kN],
                         PhiloxWords (&words)[kN]) {
  philox_rounds(keys, counters);
  const Words low = Words{} + 0xFFFFFFFFU;
#pragma GCC unroll 4
  for (int i = 0; i < kN; ++i) {
    const auto& [c0, c1, c2, c3] = counters[i];
    words[i] = {(c0 & low) | (c1 << 32), (c2 & low) | (c3 << 32)};
  }
}

// The 16-bit draws of a row of dropout in groups of 64 columns, laid out so that no vector width
// shows in them. An element is kept iff its draw is at least round(65536 p). With column = 64 g +
// 16 b + l:
//   counter = {head << 20 | 8 g + l / 2, row, example, step},  draw = half (b mod 2) of word 2 (b /
//   2) + l mod 2.
class DropoutDraws {
 public:
  static constexpr int kColumns = 64;

  // Where a group stands: columns 64 g … 64 g + 63 of (head, row, example, step).
  struct Place {
    std::uint32_t head, row, example, step;
    Index group;
  };

  DropoutDraws() = default;
  DropoutDraws(const PhiloxKeys& key, const Place& place) {
    DropoutDraws one[1];
    make(
        key, [&](int) { return place; }, one);
    *this = one[0];
  }

  // draws[i] of place(i), side by side.
  template <int kN, class PlaceOf>
  static void make(const PhiloxKeys& key, const PlaceOf& place, DropoutDraws (&draws)[kN]) {
    for (int part = 0; part < kParts; ++part) {
      PhiloxCounters counters[kN];
      PhiloxWords words[kN];
#pragma GCC unroll 4
      for (int i = 0; i < kN; ++i) {
        const Place p = place(i);
        counters[i] = {Words{} + (p.head << 20 | static_cast<std::uint32_t>(8 * p.group)) +
                           lanes() + static_cast<std::uint64_t>(part * kPhiloxLanes),
                       Words{} + p.row, Words{} + p.example, Words{} + p.step};
      }
      philox_lanes(key, counters, words);
#pragma GCC unroll 4
      for (int i = 0; i < kN; ++i) {
        draws[i].words_[0][part] = words[i].w01;
        draws[i].words_[1][part] = words[i].w23;
      }
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

  static constexpr int kParts = 8 / kPhiloxLanes;

  // Of the draws of columns 16 b … in both, and in registers where loops over v are unrolled.
  Words words_[2][kParts];
};

}  // namespace attune::kernels
