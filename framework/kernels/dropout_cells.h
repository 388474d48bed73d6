#pragma once

#include <algorithm>
#include <cstring>

#include "kernels/philox_simd.h"

// Dropout of single cells, where the columns of a row are not neighbours: edges, lists of keys,
// sparse rows.
namespace attune::kernels {

// n numbers and room for those that fill up the last vectors of dropout_cells.
inline Index whole_draws(Index n) {
  constexpr Index kCells = kPhiloxAtOnce * kPhiloxLanes;
  return (n + kCells - 1) / kCells * kCells;
}

// kPhiloxLanes numbers as words for dropout_cells.
inline Words words_of(const std::int32_t* numbers) {
  typedef std::uint32_t Halves __attribute__((vector_size(kVectorBytes / 2)));
  Halves some;
  __builtin_memcpy(&some, numbers, sizeof(some));
  return __builtin_convertvector(some, Words);
}

// The place of one cell in each lane: what DropoutDraws has of (head, row, example) and column.
struct DropoutCells {
  Words head, row, column, example;
};

// draws[t] of cells(t), which gives those from t on, t a multiple of kPhiloxLanes below
// whole_draws(n); draws has room for as many. An instance holds eight columns, of which one is
// used.
template <class Cells>
void dropout_cells(const PhiloxKeys& key, std::uint32_t step, const Cells& cells, Index n,
                   std::uint32_t* draws) {
  typedef std::uint32_t Halves __attribute__((vector_size(kVectorBytes / 2)));
  for (Index t = 0; t < n; t += kPhiloxAtOnce * kPhiloxLanes) {
    PhiloxCounters counters[kPhiloxAtOnce];
    PhiloxWords words[kPhiloxAtOnce];
    Words column[kPhiloxAtOnce];
#pragma GCC unroll 4
    for (int i = 0; i < kPhiloxAtOnce; ++i) {
      const DropoutCells c = cells(t + i * kPhiloxLanes);
      column[i] = c.column;
      counters[i] = {c.head << 20 | (c.column >> 6 << 3) | (c.column >> 1 & 7), c.row, c.example,
                     Words{} + step};
    }
    philox_lanes(key, counters, words);
#pragma GCC unroll 4
    for (int i = 0; i < kPhiloxAtOnce; ++i) {
      const Words second = -(column[i] >> 5 & 1);  // all ones where the draw stands in w23
      const Words word = (words[i].w01 & ~second) | (words[i].w23 & second);
      const Words draw = word >> ((column[i] & 1) << 5 | (column[i] >> 4 & 1) << 4) & 0xFFFF;
      const Halves halves = __builtin_convertvector(draw, Halves);
      __builtin_memcpy(draws + t + i * kPhiloxLanes, &halves, sizeof(halves));
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

}  // namespace attune::kernels
