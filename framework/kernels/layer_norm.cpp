#include "kernels/layer_norm.h"

#include <algorithm>

#include "kernels/lanes.h"
#include "kernels/parallel.h"
#include "tensor/arena.h"

namespace attune::kernels {
namespace {

// Of n ≤ kLanes rows x [n, d]: y, mean and rstd. Their sums share the steps of one tree, and what
// is one number a row is a lane; a row's bits are those it would have alone.
template <class Real>
void normalise_rows(const Real* x, const Real* gain, const Real* bias, Index n, Index d, Real eps,
                    Real* y, Real* mean, Real* rstd) {
  const Vec<Real> columns = static_cast<Real>(d);
  Vec<Real> totals[static_cast<std::size_t>(kLanes<Real>)];
  const auto store_means = [&](const auto& f, Real* to) {
    for (Index r = n; r < kLanes<Real>; ++r) totals[r] = Real(0);
    store_n(to, n, f(sums(totals) / columns));
  };
  for (Index r = 0; r < n; ++r) {
    Vec<Real> total = Real(0);
    for_lanes<Real>(d, [&](Index j, auto lanes) { total += lanes.load(x + r * d + j); });
    totals[r] = total;
  }
  store_means([](Vec<Real> average) { return average; }, mean);
  for (Index r = 0; r < n; ++r) {
    Vec<Real> squares = Real(0);
    for_lanes<Real>(d, [&](Index j, auto lanes) {
      const Vec<Real> centred = lanes.keep(lanes.load(x + r * d + j) - Vec<Real>(mean[r]), 0);
      squares = fma(centred, centred, squares);
    });
    totals[r] = squares;
  }
  store_means(
      [&](Vec<Real> variance) { return Vec<Real>(Real(1)) / sqrt(variance + Vec<Real>(eps)); },
      rstd);
  for (Index r = 0; r < n; ++r) {
    const Vec<Real> m = mean[r], scale = rstd[r];
    for_lanes<Real>(d, [&](Index j, auto lanes) {
      const Vec<Real> b = bias ? lanes.load(bias + j) : Vec<Real>(0);
      lanes.store(y + r * d + j,
                  fma((lanes.load(x + r * d + j) - m) * scale, lanes.load(gain + j), b));
    });
  }
}

// Adds one row's share to dx (if any) and to the chunk's sums.
template <class Real>
void backward_row(const Real* dy, const Real* x, const Real* gain, Index d, Real mean, Real rstd,
                  Real* dx, bool fresh, Real* dgain, Real* dbias) {
  const auto normalised = [&](Index j, auto lanes) {
    return (lanes.load(x + j) - Vec<Real>(mean)) * Vec<Real>(rstd);
  };
  Vec<Real> sum_g = Real(0), sum_gx = Real(0);
  for_lanes<Real>(d, [&](Index j, auto lanes) {
    const Vec<Real> upstream = lanes.load(dy + j);
    const Vec<Real> xhat = lanes.keep(normalised(j, lanes), 0);
    const Vec<Real> g = upstream * lanes.load(gain + j);
    sum_g = sum_g + g;
    sum_gx = fma(g, xhat, sum_gx);
    lanes.store(dgain + j, fma(upstream, xhat, lanes.load(dgain + j)));
    lanes.store(dbias + j, lanes.load(dbias + j) + upstream);
  });
  if (!dx) return;
  const Vec<Real> mean_g = sum(sum_g) / static_cast<Real>(d);
  const Vec<Real> mean_gx = sum(sum_gx) / static_cast<Real>(d);
  for_lanes<Real>(d, [&](Index j, auto lanes) {
    const Vec<Real> from_mean = fma(lanes.load(dy + j), lanes.load(gain + j), -mean_g);
    const Vec<Real> inner = fma(-normalised(j, lanes), mean_gx, from_mean);
    const Vec<Real> old = fresh ? Vec<Real>(Real(0)) : lanes.load(dx + j);
    lanes.store(dx + j, fma(Vec<Real>(rstd), inner, old));
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
                    for (Index i = begin; i < end; i += kLanes<Real>) {
                      normalise_rows(x.data() + i * d, gain.data(), bias.data(),
                                     std::min<Index>(end - i, kLanes<Real>), d, eps,
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
                    for (Index i = begin; i < end; ++i) {
                      backward_row(dy.data() + i * d, x.data() + i * d, gain.data(), d, mean[i],
                                   rstd[i], dx ? dx.data() + i * d : nullptr, fresh_dx, chunk,
                                   chunk + d);
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
