#include "kernels/rms_norm.h"

#include <algorithm>
#include <cmath>

#include "kernels/lanes.h"
#include "kernels/parallel.h"
#include "tensor/arena.h"

namespace attune::kernels {
namespace {

template <class Real>
void normalise_row(const Real* x, const Real* gain, const Real* bias, Index d, Real eps, Real* y,
                   Real& rrms) {
  Vec<Real> squares = Real(0);
  for_lanes<Real>(d, [&](Index j, auto lanes) {
    const Vec<Real> v = lanes.load(x + j);
    squares = fma(v, v, squares);
  });
  rrms = Real(1) / std::sqrt(sum(squares) / static_cast<Real>(d) + eps);
  for_lanes<Real>(d, [&](Index j, auto lanes) {
    const Vec<Real> b = bias ? lanes.load(bias + j) : Vec<Real>(0);
    lanes.store(y + j, fma(lanes.load(x + j) * Vec<Real>(rrms), lanes.load(gain + j), b));
  });
}

// Adds one row's share to dx (if any) and to the chunk's sums.
template <class Real>
void backward_row(const Real* dy, const Real* x, const Real* gain, Index d, Real rrms, Real* dx,
                  Real* dgain, Real* dbias) {
  Vec<Real> sum_gx = Real(0);
  for_lanes<Real>(d, [&](Index j, auto lanes) {
    const Vec<Real> upstream = lanes.load(dy + j);
    const Vec<Real> xhat = lanes.load(x + j) * Vec<Real>(rrms);
    sum_gx = fma(upstream * lanes.load(gain + j), xhat, sum_gx);
    lanes.store(dgain + j, fma(upstream, xhat, lanes.load(dgain + j)));
    lanes.store(dbias + j, lanes.load(dbias + j) + upstream);
  });
  if (!dx) return;
  const Vec<Real> mean_gx = sum(sum_gx) / static_cast<Real>(d);
  for_lanes<Real>(d, [&](Index j, auto lanes) {
    const Vec<Real> correction = lanes.load(x + j) * Vec<Real>(rrms) * mean_gx;
    const Vec<Real> inner = fma(lanes.load(dy + j), lanes.load(gain + j), -correction);
    lanes.store(dx + j, fma(Vec<Real>(rrms), inner, lanes.load(dx + j)));
  });
}

}  // namespace

template <class Real>
void rms_norm(View<const Real> x, View<const Real> gain, View<const Real> bias, Real eps,
              View<Real> y, View<Real> rrms) {
  check_rank("rms_norm", "x", x, 2);
  const Index n = x.dim(0), d = x.dim(1);
  ATTUNE_CHECK(d > 0, ShapeError, "[rms_norm] x is {}: a row of no elements has no mean.",
               x.shape().text());
  check_shape("rms_norm", "gain", gain, {d}, "x's columns");
  if (bias) check_shape("rms_norm", "bias", bias, {d}, "x's columns");
  check_shape("rms_norm", "y", y, x.shape(), "x");
  check_shape("rms_norm", "rrms", rrms, {n}, "x's rows");
  parallel_ranges("rms_norm", n, kRowsPerBlock, static_cast<double>(n * d) * 0.4,
                  [&](Index begin, Index end) {
                    for (Index i = begin; i < end; ++i) {
                      normalise_row(x.data() + i * d, gain.data(), bias.data(), d, eps,
                                    y.data() + i * d, rrms[i]);
                    }
                  });
}

template <class Real>
void rms_norm_backward(View<const Real> dy, View<const Real> x, View<const Real> gain,
                       View<const Real> rrms, View<Real> dx, View<Real> dgain, View<Real> dbias) {
  check_rank("rms_norm_backward", "x", x, 2);
  const Index n = x.dim(0), d = x.dim(1);
  check_shape("rms_norm_backward", "dy", dy, x.shape(), "x");
  check_shape("rms_norm_backward", "gain", gain, {d}, "x's columns");
  check_shape("rms_norm_backward", "rrms", rrms, {n}, "x's rows");
  if (dx) check_shape("rms_norm_backward", "dx", dx, x.shape(), "x");
  if (dgain) check_shape("rms_norm_backward", "dgain", dgain, {d}, "x's columns");
  if (dbias) check_shape("rms_norm_backward", "dbias", dbias, {d}, "x's columns");
  Scratch scratch;
  Real* sums = scratch.allocate<Real>(row_blocks(n) * 2 * d);  // a chunk: dgain, then dbias
  parallel_ranges("rms_norm_backward", n, kRowsPerBlock, static_cast<double>(n * d) * 0.5,
                  [&](Index begin, Index end) {
                    Real* chunk = sums + begin / kRowsPerBlock * 2 * d;
                    std::fill(chunk, chunk + 2 * d, Real(0));
                    for (Index i = begin; i < end; ++i) {
                      backward_row(dy.data() + i * d, x.data() + i * d, gain.data(), d, rrms[i],
                                   dx ? dx.data() + i * d : nullptr, chunk, chunk + d);
                    }
                  });
  if (dgain) add_chunks(sums, row_blocks(n), 2 * d, dgain);
  if (dbias) add_chunks(sums + d, row_blocks(n), 2 * d, dbias);
}

template void rms_norm(View<const float>, View<const float>, View<const float>, float, View<float>,
                       View<float>);
template void rms_norm_backward(View<const float>, View<const float>, View<const float>,
                                View<const float>, View<float>, View<float>, View<float>);
template void rms_norm(View<const double>, View<const double>, View<const double>, double,
                       View<double>, View<double>);
template void rms_norm_backward(View<const double>, View<const double>, View<const double>,
                                View<const double>, View<double>, View<double>, View<double>);

}  // namespace attune::kernels
