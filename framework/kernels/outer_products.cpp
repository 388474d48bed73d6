#include "kernels/outer_products.h"

#include <algorithm>

#include "kernels/gemm_packing.h"
#include "kernels/lanes.h"
#include "kernels/parallel.h"
#include "tensor/arena.h"

namespace attune::kernels {
namespace {

constexpr Index kChunk = 128;  // rows packed at a time
constexpr Index kSlice = 48;   // columns of a in a slice: full tiles of the micro-kernel

// Columns [0, height) of a chunk of a as [rows][kSlice], as the micro-kernel reads them;
// while they pass, they are added to `sums`, unless that is null.
template <class Real>
void pack_left(Index rows, Index height, const Real* a, Index stride, Real* slice, Real* sums) {
  constexpr Index kVectors = 4, kWide = kVectors * kLanes<Real>;
  Index at = 0;
  for (; at + kWide <= height; at += kWide) {
    Vec<Real> total[kVectors];
    for (Index v = 0; v < kVectors; ++v)
      total[v] = sums ? load(sums + at + v * kLanes<Real>) : Vec<Real>(Real(0));
    for (Index i = 0; i < rows; ++i) {
#pragma GCC unroll 4
      for (Index v = 0; v < kVectors; ++v) {
        const Vec<Real> x = load(a + i * stride + at + v * kLanes<Real>);
        total[v] += x;
        store(slice + i * kSlice + at + v * kLanes<Real>, x);
      }
    }
    for (Index v = 0; v < kVectors && sums; ++v) store(sums + at + v * kLanes<Real>, total[v]);
  }
  for_lanes<Real>(height - at, [&](Index r, auto lanes) {
    Vec<Real> total = sums ? lanes.load(sums + at + r) : Vec<Real>(Real(0));
    for (Index i = 0; i < rows; ++i) {
      const Vec<Real> x = lanes.load(a + i * stride + at + r);
      total += x;
      lanes.store(slice + i * kSlice + at + r, x);
    }
    if (sums) lanes.store(sums + at + r, total);
  });
}

// Columns [begin, end) of a, over rows that fit the panels: sums begin where `fresh`, and go on
// else.
template <class Real>
void add_rows(Index begin, Index end, View<const Real> a, View<const Real> b, bool fresh, Real* sum,
              Real* columns, Real* slice, Real* panels) {
  constexpr Index kWidth = kPanelWidth<Real>;
  const Index rows = a.dim(0), m = a.dim(1), d = b.dim(1), n_panels = (d + kWidth - 1) / kWidth;
  // A matrix that is as wide as a panel is one already.
  const bool in_place = d == kWidth;
  for (Index p = 0; p < n_panels && !in_place; ++p)
    pack_panel<Real>(rows, std::min(kWidth, d - p * kWidth), {b.data() + p * kWidth, d, 1},
                     panels + p * kChunk * kWidth);
  for (Index i = begin; i < end; i += kSlice) {
    const Index height = std::min(kSlice, end - i);
    pack_left(rows, height, a.data() + i, m, slice, columns ? columns + i : nullptr);
    const auto left = operand(static_cast<const Real*>(slice), Fixed<1>{}, Fixed<kSlice>{});
    for (Index p = 0; p < n_panels; ++p) {
      const auto panel =
          operand(in_place ? b.data() : static_cast<const Real*>(panels) + p * kChunk * kWidth,
                  Fixed<kWidth>{});
      const auto to = operand(sum + i * d + p * kWidth, d);
      multiply<Real>(height, std::min(kWidth, d - p * kWidth), rows, left, panel,
                     operand(fresh ? nullptr : static_cast<const Real*>(to.data), d), to);
    }
  }
}

template <class Real>
void add(const Real* x, Index n, Real* sum) {
  for_lanes<Real>(n, [&](Index j, auto lanes) {
    lanes.store(sum + j, lanes.load(sum + j) + lanes.load(x + j));
  });
}

}  // namespace

template <class Real>
void outer_products(const char* kernel, View<const Real> a, View<const Real> b, View<Real> sum,
                    View<Real> columns) {
  constexpr Index kWidth = kPanelWidth<Real>;
  const Index n = a.dim(0), m = a.dim(1), d = b.dim(1);
  if (n == 0 || m == 0) return;
  const Index parts = outer_parts(n), size = (n + parts - 1) / parts;
  // Where a is wide it is halved as well, for more threads than there are parts.
  const Index halves = m >= 4 * kSlice ? 2 : 1,
              wide = (m + halves * kSlice - 1) / (halves * kSlice) * kSlice;
  Scratch scratch;
  // Of the second part: aᵀ b, and the sums of columns behind it.
  const View<Real> second = scratch.view<Real>({parts - 1, m * d + m});
  const double cost = kNanosecondsPerFlop * 2 * static_cast<double>(n) *
                      (static_cast<double>(m) * static_cast<double>(d) + static_cast<double>(m));
  parallel_for(kernel, parts * halves, cost, [&](Index task) {
    const Index part = task / halves, begin = task % halves * wide, end = std::min(m, begin + wide);
    Real* const own = part == 0 ? sum.data() : second.data();
    Real* const own_columns = !columns ? nullptr : part == 0 ? columns.data() : own + m * d;
    if (own_columns && part > 0) std::fill(own_columns + begin, own_columns + end, Real(0));
    Scratch local;
    Real* const slice = local.allocate<Real>(kChunk * kSlice);
    Real* const panels = local.allocate<Real>(kChunk * ((d + kWidth - 1) / kWidth * kWidth));
    const Index first = part * size, last = std::min(n, first + size);
    for (Index i = first; i < last; i += kChunk) {
      const Index rows = std::min(kChunk, last - i);
      add_rows<Real>(begin, end, a.rows(i, rows), b.rows(i, rows), part > 0 && i == first, own,
                     own_columns, slice, panels);
    }
  });
  if (parts == 1) return;
  constexpr Index kAtOnce = 4096;
  parallel_ranges(
      "outer_products.add", m * d, kAtOnce, 0.2 * static_cast<double>(m * d),
      [&](Index begin, Index end) { add(second.data() + begin, end - begin, sum.data() + begin); });
  if (columns) add(second.data() + m * d, m, columns.data());
}

template void outer_products(const char*, View<const float>, View<const float>, View<float>,
                             View<float>);
template void outer_products(const char*, View<const double>, View<const double>, View<double>,
                             View<double>);

}  // namespace attune::kernels
