#include "kernels/layer_norm.h"

#include <algorithm>

#include "kernels/lanes.h"
#include "kernels/parallel.h"
#include "tensor/arena.h"

namespace attune::kernels {
namespace {

// kVectors neighbouring vectors of a row from column `first` on, the last of which `last` reaches.
template <class Real, int kVectors, class Lanes>
struct Columns {
  Lanes last;
  Index first;

  Vec<Real> load(const Real* row, int v) const {
    const Real* p = row + first + v * kLanes<Real>;
    return v == kVectors - 1 ? last.load(p) : kernels::load(p);
  }
  void store(Real* row, int v, Vec<Real> x) const {
    Real* p = row + first + v * kLanes<Real>;
    v == kVectors - 1 ? last.store(p, x) : kernels::store(p, x);
  }
  // 0 beyond the row.
  Vec<Real> keep(int v, Vec<Real> x) const { return v == kVectors - 1 ? last.keep(x, 0) : x; }
};

// f(columns, vectors) for every few vectors of d.
template <class Real, class F>
void by_columns(Index d, const F& f) {
  for_columns<Real>(d, [&](auto vectors, auto last, Index first) {
    f(Columns<Real, vectors.value, decltype(last)>{last, first}, vectors);
  });
}

// Vectors of rows whose sums share a tree; of two trees one runs while the other waits for itself.
constexpr Index kTrees = 2;
template <class Real>
constexpr Index kRowsAtOnce = kTrees* kLanes<Real>;

// Numbers that a row has one of, for kRowsAtOnce rows.
template <class Real>
struct ByRow {
  alignas(64) Real of[static_cast<std::size_t>(kRowsAtOnce<Real>)];
};

// f of the sums, over a row's vectors, of term(sum so far, columns, row, vector).
template <class Real, class Term, class F>
ByRow<Real> summed(Index n, Index d, const Term& term, const F& f) {
  Vec<Real> totals[kTrees][static_cast<std::size_t>(kLanes<Real>)];
  Vec<Real>* const of_row = totals[0];
  std::fill(of_row + n, of_row + kRowsAtOnce<Real>, Vec<Real>(Real(0)));
  by_columns<Real>(d, [&](const auto& columns, auto vectors) {
    for (Index r = 0; r < n; ++r) {
      Vec<Real> total = columns.first == 0 ? Vec<Real>(Real(0)) : of_row[r];
#pragma GCC unroll 4
      for (int v = 0; v < vectors.value; ++v) total = term(total, columns, r, v);
      of_row[r] = total;
    }
  });
  ByRow<Real> result;
  for (Index t = 0; t < kTrees; ++t) store(result.of + t * kLanes<Real>, f(sums(totals[t])));
  return result;
}

// Of n ≤ kRowsAtOnce rows x [n, d]: y, mean and rstd. A row's bits are those it would have alone.
template <class Real>
void normalise_rows(const Real* x, const Real* gain, const Real* bias, Index n, Index d, Real eps,
                    Real* y, Real* mean, Real* rstd) {
  const Vec<Real> n_columns = static_cast<Real>(d);
  const ByRow<Real> means = summed<Real>(
      n, d,
      [&](Vec<Real> total, const auto& columns, Index r, int v) {
        return total + columns.load(x + r * d, v);
      },
      [&](Vec<Real> total) { return total / n_columns; });
  const ByRow<Real> scales = summed<Real>(
      n, d,
      [&](Vec<Real> total, const auto& columns, Index r, int v) {
        const Vec<Real> centred =
            columns.keep(v, columns.load(x + r * d, v) - Vec<Real>(means.of[r]));
        return fma(centred, centred, total);
      },
      [&](Vec<Real> total) {
        return Vec<Real>(Real(1)) / sqrt(total / n_columns + Vec<Real>(eps));
      });
  std::copy_n(means.of, n, mean);
  std::copy_n(scales.of, n, rstd);
  by_columns<Real>(d, [&](const auto& columns, auto vectors) {
    Vec<Real> gains[vectors.value], biases[vectors.value];
    for (int v = 0; v < vectors.value; ++v) {
      gains[v] = columns.load(gain, v);
      biases[v] = bias == nullptr ? Vec<Real>(Real(0)) : columns.load(bias, v);
    }
    for (Index r = 0; r < n; ++r) {
      const Vec<Real> m = means.of[r], scale = scales.of[r];
#pragma GCC unroll 4
      for (int v = 0; v < vectors.value; ++v)
        columns.store(y + r * d, v,
                      fma((columns.load(x + r * d, v) - m) * scale, gains[v], biases[v]));
    }
  });
}

// n ≤ kLanes rows on their way back: adds their shares to the chunk's sums, and to dx, if any, or
// writes it.
template <class Real>
void backward_rows(const Real* dy, const Real* x, const Real* gain, const Real* mean,
                   const Real* rstd, Index n, Index d, Real* dx, bool fresh, Real* dgain,
                   Real* dbias) {
  constexpr auto kRows = static_cast<std::size_t>(kLanes<Real>);
  alignas(64) Real means[kRows], scales[kRows], mean_g[kRows], mean_gx[kRows];
  store(means, load_n(mean, n));
  store(scales, load_n(rstd, n));
  Vec<Real> sum_g[kRows], sum_gx[kRows];
  std::fill(sum_g, sum_g + kRows, Vec<Real>(Real(0)));
  std::fill(sum_gx, sum_gx + kRows, Vec<Real>(Real(0)));
  by_columns<Real>(d, [&](const auto& columns, auto vectors) {
    Vec<Real> gains[vectors.value], to_gain[vectors.value], to_bias[vectors.value];
    for (int v = 0; v < vectors.value; ++v) {
      gains[v] = columns.load(gain, v);
      to_gain[v] = columns.load(dgain, v);
      to_bias[v] = columns.load(dbias, v);
    }
    for (Index r = 0; r < n; ++r) {
      const Vec<Real> m = means[r], scale = scales[r];
      Vec<Real> of_g = sum_g[r], of_gx = sum_gx[r];
#pragma GCC unroll 4
      for (int v = 0; v < vectors.value; ++v) {
        const Vec<Real> upstream = columns.load(dy + r * d, v), g = upstream * gains[v];
        const Vec<Real> xhat = columns.keep(v, (columns.load(x + r * d, v) - m) * scale);
        of_g += g;
        of_gx = fma(g, xhat, of_gx);
        to_gain[v] = fma(upstream, xhat, to_gain[v]);
        to_bias[v] += upstream;
      }
      sum_g[r] = of_g;
      sum_gx[r] = of_gx;
    }
    for (int v = 0; v < vectors.value; ++v) {
      columns.store(dgain, v, to_gain[v]);
      columns.store(dbias, v, to_bias[v]);
    }
  });
  if (dx == nullptr) return;
  const Vec<Real> n_columns = static_cast<Real>(d);
  store(mean_g, sums(sum_g) / n_columns);
  store(mean_gx, sums(sum_gx) / n_columns);
  by_columns<Real>(d, [&](const auto& columns, auto vectors) {
    Vec<Real> gains[vectors.value];
    for (int v = 0; v < vectors.value; ++v) gains[v] = columns.load(gain, v);
    for (Index r = 0; r < n; ++r) {
      const Vec<Real> m = means[r], scale = scales[r], of_g = mean_g[r], of_gx = mean_gx[r];
#pragma GCC unroll 4
      for (int v = 0; v < vectors.value; ++v) {
        const Vec<Real> xhat = (columns.load(x + r * d, v) - m) * scale;
        const Vec<Real> inner =
            fma(-xhat, of_gx, fma(columns.load(dy + r * d, v), gains[v], -of_g));
        const Vec<Real> old = fresh ? Vec<Real>(Real(0)) : columns.load(dx + r * d, v);
        columns.store(dx + r * d, v, fma(scale, inner, old));
      }
    }
  });
}

}  // namespace

template <class Real>
void layer_norm(View<const Real> x, View<const Real> gain, View<const Real> bias, Real eps,
                View<Real> y, View<Real> mean, View<Real> rstd) {
  check_rank("layer_norm", "x", x, 2);
  const Index n = x.dim(0), d = x.dim(1);
  ATTUNE_CHECK(d > 0, ShapeError, "[layer_norm] x is {}: a row of no elements has no mean.",
               x.shape().text());
  check_shape("layer_norm", "gain", gain, {d}, "x's columns");
  if (bias) check_shape("layer_norm", "bias", bias, {d}, "x's columns");
  check_shape("layer_norm", "y", y, x.shape(), "x");
  check_shape("layer_norm", "mean", mean, {n}, "x's rows");
  check_shape("layer_norm", "rstd", rstd, {n}, "x's rows");
  parallel_ranges("layer_norm", n, kRowsPerBlock, static_cast<double>(n * d) * 0.45,
                  [&](Index begin, Index end) {
                    for (Index i = begin; i < end; i += kRowsAtOnce<Real>) {
                      normalise_rows(x.data() + i * d, gain.data(), bias.data(),
                                     std::min<Index>(end - i, kRowsAtOnce<Real>), d, eps,
                                     y.data() + i * d, mean.data() + i, rstd.data() + i);
                    }
                  });
}

template <class Real>
void layer_norm_backward(View<const Real> dy, View<const Real> x, View<const Real> gain,
                         View<const Real> mean, View<const Real> rstd, View<Real> dx,
                         View<Real> dgain, View<Real> dbias, bool fresh_dx) {
  check_rank("layer_norm_backward", "x", x, 2);
  const Index n = x.dim(0), d = x.dim(1);
  check_shape("layer_norm_backward", "dy", dy, x.shape(), "x");
  check_shape("layer_norm_backward", "gain", gain, {d}, "x's columns");
  check_shape("layer_norm_backward", "mean", mean, {n}, "x's rows");
  check_shape("layer_norm_backward", "rstd", rstd, {n}, "x's rows");
  if (dx) check_shape("layer_norm_backward", "dx", dx, x.shape(), "x");
  if (dgain) check_shape("layer_norm_backward", "dgain", dgain, {d}, "x's columns");
  if (dbias) check_shape("layer_norm_backward", "dbias", dbias, {d}, "x's columns");
  Scratch scratch;
  Real* sums = scratch.allocate<Real>(row_blocks(n) * 2 * d);  // a chunk: dgain, then dbias
  parallel_ranges("layer_norm_backward", n, kRowsPerBlock, static_cast<double>(n * d) * 0.6,
                  [&](Index begin, Index end) {
                    Real* chunk = sums + begin / kRowsPerBlock * 2 * d;
                    std::fill(chunk, chunk + 2 * d, Real(0));
                    for (Index i = begin; i < end; i += kLanes<Real>) {
                      backward_rows(dy.data() + i * d, x.data() + i * d, gain.data(),
                                    mean.data() + i, rstd.data() + i,
                                    std::min<Index>(end - i, kLanes<Real>), d,
                                    dx ? dx.data() + i * d : nullptr, fresh_dx, chunk, chunk + d);
                    }
                  });
  if (dgain) add_chunks(sums, row_blocks(n), 2 * d, dgain);
  if (dbias) add_chunks(sums + d, row_blocks(n), 2 * d, dbias);
}

template void layer_norm(View<const float>, View<const float>, View<const float>, float,
                         View<float>, View<float>, View<float>);
template void layer_norm_backward(View<const float>, View<const float>, View<const float>,
                                  View<const float>, View<const float>, View<float>, View<float>,
                                  View<float>, bool);
template void layer_norm(View<const double>, View<const double>, View<const double>, double,
                         View<double>, View<double>, View<double>);
template void layer_norm_backward(View<const double>, View<const double>, View<const double>,
                                  View<const double>, View<const double>, View<double>,
                                  View<double>, View<double>, bool);

}  // namespace attune::kernels
