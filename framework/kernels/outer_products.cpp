#include "kernels/outer_products.h"

#include <algorithm>

#include "kernels/gemm_packing.h"
#include "kernels/lanes.h"
#include "kernels/parallel.h"
#include "tensor/arena.h"

namespace attune::kernels {
namespace {

constexpr Index kChunk = 128;  // rows packed at a time: a slice of a and a panel of b fit L1
constexpr double kNanosecondsPerFlop = 0.01;

// Columns [0, height) of a chunk of a as [rows][kMaxRowBlock], as the micro-kernel reads them;
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
        store(slice + i * kMaxRowBlock + at + v * kLanes<Real>, x);
      }
    }
    for (Index v = 0; v < kVectors && sums; ++v) store(sums + at + v * kLanes<Real>, total[v]);
  }
  for_lanes<Real>(height - at, [&](Index r, auto lanes) {
    Vec<Real> total = sums ? lanes.load(sums + at + r) : Vec<Real>(Real(0));
    for (Index i = 0; i < rows; ++i) {
      const Vec<Real> x = lanes.load(a + i * stride + at + r);
      total += x;
      lanes.store(slice + i * kMaxRowBlock + at + r, x);
    }
    if (sums) lanes.store(sums + at + r, total);
  });
}

// Rows [0, rows) of a part, into sums that are there.
template <class Real>
void add_rows(Index rows, View<const Real> a, View<const Real> b, View<Real> sum, Real* columns,
              Real* slice, Real* panels) {
  constexpr Index kWidth = kPanelWidth<Real>;
  const Index m = a.dim(1), d = b.dim(1), n_panels = (d + kWidth - 1) / kWidth;
  // A matrix that is as wide as a panel is one already.
  const bool in_place = d == kWidth;
  for (Index p = 0; p < n_panels && !in_place; ++p)
    pack_panel<Real>(rows, std::min(kWidth, d - p * kWidth), {b.data() + p * kWidth, d, 1},
                     panels + p * kChunk * kWidth);
  for (Index i = 0; i < m; i += kMaxRowBlock) {
    const Index height = std::min(kMaxRowBlock, m - i);
    pack_left(rows, height, a.data() + i, m, slice, columns ? columns + i : nullptr);
    const auto left = operand(static_cast<const Real*>(slice), Fixed<1>{}, Fixed<kMaxRowBlock>{});
    for (Index p = 0; p < n_panels; ++p) {
      const auto panel =
          operand(in_place ? b.data() : static_cast<const Real*>(panels) + p * kChunk * kWidth,
                  Fixed<kWidth>{});
      const auto to = operand(sum.row(i) + p * kWidth, d);
      multiply<Real>(height, std::min(kWidth, d - p * kWidth), rows, left, panel,
                     operand(static_cast<const Real*>(to.data), d), to);
    }
  }
}

template <class Real>
void add(const Real* x, Index n, Real* sum) {
  for_lanes<Real>(n, [&](Index j, auto lanes) {
    lanes.store(sum + j, lanes.load(sum + j) + lanes.load(x + j));
  });
}

template <class Real>
View<const Real> rows_of(View<const Real> x, Index first, Index n) {
  return {x.data() + first * x.dim(1), {n, x.dim(1)}};
}

}  // namespace

template <class Real>
void outer_products(const char* kernel, View<const Real> a, View<const Real> b, View<Real> sum,
                    View<Real> columns) {
  constexpr Index kWidth = kPanelWidth<Real>;
  const Index n = a.dim(0), m = a.dim(1), d = b.dim(1);
  if (n == 0) return;
  const Index parts = outer_parts(n), size = (n + parts - 1) / parts;
  const Index n_columns = columns ? m : 0;
  Scratch scratch;
  // Of the parts behind the first.
  const View<Real> sums = scratch.view<Real>({parts - 1, m * d + n_columns});
  const double cost = kNanosecondsPerFlop * 2 * static_cast<double>(n) *
                      (static_cast<double>(m) * static_cast<double>(d) + static_cast<double>(m));
  parallel_for(kernel, parts, cost, [&](Index part) {
    Real* const own = part == 0 ? sum.data() : sums.row(part - 1);
    Real* const own_columns = part == 0 ? columns.data() : own + m * d;
    if (part > 0) std::fill_n(own, sums.dim(1), Real(0));
    Scratch local;
    Real* const slice = local.allocate<Real>(kChunk * kMaxRowBlock);
    Real* const panels = local.allocate<Real>(kChunk * ((d + kWidth - 1) / kWidth * kWidth));
    const Index end = std::min(n, (part + 1) * size);
    for (Index i = part * size; i < end; i += kChunk) {
      const Index rows = std::min(kChunk, end - i);
      const View<const Real> left = rows_of(a, i, rows);
      add_rows<Real>(rows, left, rows_of(b, i, rows), {own, {m, d}},
                     columns ? own_columns : nullptr, slice, panels);
    }
  });
  if (parts == 1) return;
  constexpr Index kAtOnce = 4096;
  const double adding = 0.1 * static_cast<double>((parts - 1) * m * d);
  parallel_ranges("outer_products.add", m * d, kAtOnce, adding, [&](Index begin, Index end) {
    for (Index part = 0; part + 1 < parts; ++part)
      add(sums.row(part) + begin, end - begin, sum.data() + begin);
  });
  for (Index part = 0; part + 1 < parts && columns; ++part)
    add(sums.row(part) + m * d, m, columns.data());
}

template void outer_products(const char*, View<const float>, View<const float>, View<float>,
                             View<float>);
template void outer_products(const char*, View<const double>, View<const double>, View<double>,
                             View<double>);

}  // namespace attune::kernels
