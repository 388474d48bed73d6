#include "kernels/layer_norm.h"

#include <algorithm>
#include <cmath>

#include "kernels/lanes.h"
#include "kernels/parallel.h"
#include "tensor/arena.h"

namespace attune::kernels {
namespace {

template <class Real>
void normalise_row(const Real* x, const Real* gain, const Real* bias, Index d, Real eps, Real* y,
                   Real& mean, Real& rstd) {
  Vec<Real> total = Real(0);
  for_lanes<Real>(d, [&](Index j, auto lanes) { total += lanes.load(x + j); });
  mean = sum(total) / static_cast<Real>(d);
  Vec<Real> squares = Real(0);
  for_lanes<Real>(d, [&](Index j, auto lanes) {
    const Vec<Real> centred = lanes.keep(lanes.load(x + j) - Vec<Real>(mean), 0);
    squares = fma(centred, centred, squares);
  });
  rstd = Real(1) / std::sqrt(sum(squares) / static_cast<Real>(d) + eps);
  for_lanes<Real>(d, [&](Index j, auto lanes) {
    const Vec<Real> xhat = (lanes.load(x + j) - Vec<Real>(mean)) * Vec<Real>(rstd);
    const Vec<Real> b = bias ? lanes.load(bias + j) : Vec<Real>(0);
    lanes.store(y + j, fma(xhat, lanes.load(gain + j), b));
  });
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
                    for (Index i = begin; i < end; ++i) {
                      normalise_row(x.data() + i * d, gain.data(), bias.data(), d, eps,
                                    y.data() + i * d, mean[i], rstd[i]);
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
