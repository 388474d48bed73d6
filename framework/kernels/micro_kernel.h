#pragma once

#include <algorithm>
#include <type_traits>

#include "kernels/simd.h"

// The one micro-kernel of all products: a tile of c in registers, one fma chain over k an element,
// started from `start` (zeros if null). Strides are Index, or Fixed<n> where they are known: with
// them known the compiler needs no address register a row, which is worth a quarter of attention's
// time (reading/kernels.md, section 1).
namespace attune::kernels {

template <Index n>
using Fixed = std::integral_constant<Index, n>;

// Element (i, j) at data[i · row + j · col].
template <class T, class Row, class Col = Fixed<1>>
struct Operand {
  T* data;
  Row row;
  Col col;

  Operand shifted(Index i, Index j) const {
    return {data == nullptr ? nullptr : data + i * row + j * col, row, col};
  }
};
template <class T, class Row, class Col = Fixed<1>>
Operand<T, Row, Col> operand(T* data, Row row, Col col = {}) {
  return {data, row, col};
}

// Columns of a tile, in vectors: with kTileRows they fill the registers.
inline constexpr int kPanelVectors = kVectorRegisters == 32 ? 4 : 2;
template <class Real>
inline constexpr int kPanelWidth = kPanelVectors* kLanes<Real>;

// Rows of a tile that is `vectors` wide: at least 8 chains in flight hide the latency of an fma,
// and tile, one row of b and a broadcast fit the registers.
constexpr int tile_rows(int vectors) {
  if (kVectorRegisters == 32) return vectors == 4 ? 6 : vectors == 3 ? 8 : vectors == 2 ? 12 : 16;
  return vectors == 2 ? 6 : 12;
}

// What becomes of row r of a tile before it is stored: nothing, or its multiple.
struct AsItIs {
  AsItIs shifted(Index) const { return {}; }
  template <class V>
  V operator()(V x, Index) const {
    return x;
  }
};
template <class Real>
struct TimesFactors {
  const Real* factors;
  TimesFactors shifted(Index i) const { return {factors + i}; }
  Vec<Real> operator()(Vec<Real> x, Index r) const { return x * Vec<Real>(factors[r]); }
};

// c = finish(start + a b) for kRows rows and kVectors vectors of columns; with kTail the last
// vector has only `tail` columns.
template <class Real, int kRows, int kVectors, bool kTail, class A, class B, class S, class C,
          class Finish>
inline void tile(Index k, Index tail, A a, B b, S start, C c, Finish finish) {
  constexpr int kLast = kVectors - 1;
  Vec<Real> sums[kRows][kVectors];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const Real* p = start.data + r * start.row + v * kLanes<Real>;
      sums[r][v] = start.data == nullptr ? Vec<Real>(Real(0))
                   : kTail && v == kLast ? load_n(p, tail)
                                         : load(p);
    }
  }
  for (Index i = 0; i < k; ++i) {
    const Real* p = b.data + i * b.row;
    Vec<Real> row[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      row[v] =
          kTail && v == kLast ? load_n(p + v * kLanes<Real>, tail) : load(p + v * kLanes<Real>);
    }
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const Vec<Real> factor(a.data[r * a.row + i * a.col]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sums[r][v] = fma(factor, row[v], sums[r][v]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      Real* p = c.data + r * c.row + v * kLanes<Real>;
      if (kTail && v == kLast) {
        store_n(p, tail, finish(sums[r][v], r));
      } else {
        store(p, finish(sums[r][v], r));
      }
    }
  }
}

// All rows of a panel of columns: full tiles, then tiles of 8, 4, 2 and 1 rows.
template <class Real, int kVectors, bool kTail, int kRows, class A, class B, class S, class C,
          class Finish>
void panel_rows(Index i, Index m, Index k, Index tail, A a, B b, S start, C c, Finish finish) {
  for (; i + kRows <= m; i += kRows) {
    tile<Real, kRows, kVectors, kTail>(k, tail, a.shifted(i, 0), b, start.shifted(i, 0),
                                       c.shifted(i, 0), finish.shifted(i));
  }
  if constexpr (kRows > 1) {
    constexpr int kFewer = kRows > 8 ? 8 : kRows > 4 ? 4 : kRows / 2;
    panel_rows<Real, kVectors, kTail, kFewer>(i, m, k, tail, a, b, start, c, finish);
  }
}

template <class Real, int kVectors, class A, class B, class S, class C, class Finish>
void panel(Index m, Index width, Index k, A a, B b, S start, C c, Finish finish) {
  constexpr int kRows = tile_rows(kVectors);
  const Index tail = width - (kVectors - 1) * kLanes<Real>;
  // Narrow panels always go the masked way: it costs them little and halves the code.
  if (kVectors == kPanelVectors && tail == kLanes<Real>) {
    panel_rows<Real, kVectors, false, kRows>(0, m, k, tail, a, b, start, c, finish);
  } else {
    panel_rows<Real, kVectors, true, kRows>(0, m, k, tail, a, b, start, c, finish);
  }
}

// c [m, n] = finish(start + a [m, k] b [k, n]). b, start and c have contiguous rows; start.data
// null means zeros, and start may be c.
template <class Real, class A, class B, class S, class C, class Finish = AsItIs>
void multiply(Index m, Index n, Index k, A a, B b, S start, C c, Finish finish = {}) {
  for (Index j = 0; j < n; j += kPanelWidth<Real>) {
    const Index width = std::min<Index>(n - j, kPanelWidth<Real>);
    const auto run = [&](auto vectors) {
      panel<Real, decltype(vectors)::value>(m, width, k, a, b.shifted(0, j), start.shifted(0, j),
                                            c.shifted(0, j), finish);
    };
    const Index vectors = (width + kLanes<Real> - 1) / kLanes<Real>;
    if (vectors == kPanelVectors) {
      run(Fixed<kPanelVectors>{});
    } else if (vectors == 1) {
      run(Fixed<1>{});
    } else if constexpr (kPanelVectors == 4) {
      vectors == 2 ? run(Fixed<2>{}) : run(Fixed<3>{});
    }
  }
}

}  // namespace attune::kernels
