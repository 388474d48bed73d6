#include "kernels/linear.h"

#include <algorithm>

#include "kernels/gemm.h"
#include "kernels/lanes.h"
#include "kernels/outer_products.h"
#include "kernels/parallel.h"
#include "kernels/simd.h"
#include "tensor/arena.h"

namespace attune::kernels {
namespace {

constexpr Index kBiasChunk = 128;  // rows of a partial sum of the bias gradient

template <class Real>
void check(const char* kernel, View<const Real> tokens_out, View<const Real> tokens_in,
           View<const Real> weight) {
  const Shape &out = tokens_out.shape(), &in = tokens_in.shape(), &w = weight.shape();
  ATTUNE_CHECK(out.rank() == 2 && in.rank() == 2 && w.rank() == 2 && out[0] == in[0] &&
                   out[1] == w[0] && in[1] == w[1],
               ShapeError,
               "[{}] outputs {}, inputs {} and weight {} don't fit: they must be [n, d_out], [n, "
               "d_in] and [d_out, d_in]",
               kernel, out.text(), in.text(), w.text());
}

template <class Real>
View<const Real> read(View<Real> v) {
  return v;
}

}  // namespace

template <class Real>
void linear(View<const Real> x, View<const Real> weight, View<const Real> bias, View<Real> y) {
  check("linear", read(y), x, weight);
  const Index n = x.dim(0), d_in = x.dim(1), d_out = weight.dim(0);
  ATTUNE_CHECK(!bias || bias.size() == d_out, ShapeError,
               "[linear] bias {} must hold one value a row of weight {}", bias.shape().text(),
               weight.shape().text());
  gemm<Real>("linear", n, d_out, d_in, {x.data(), d_in, 1}, {weight.data(), 1, d_in},
             {bias.data(), 0, 1}, {y.data(), d_out, 1});
}

template <class Real>
void linear_backward_input(View<const Real> dy, View<const Real> weight, View<Real> dx,
                           bool fresh) {
  check("linear_backward_input", dy, read(dx), weight);
  const Index n = dx.dim(0), d_in = dx.dim(1), d_out = weight.dim(0);
  gemm<Real>("linear_backward_input", n, d_in, d_out, {dy.data(), d_out, 1},
             {weight.data(), d_in, 1}, {fresh ? nullptr : dx.data(), d_in, 1},
             {dx.data(), d_in, 1});
}

template <class Real>
void linear_backward_weight(View<const Real> dy, View<const Real> x, View<Real> dweight,
                            View<Real> dbias) {
  if (!dweight) {
    if (dbias) linear_backward_bias<Real>(dy, dbias);
    return;
  }
  check("linear_backward_weight", dy, x, read(dweight));
  ATTUNE_CHECK(!dbias || dbias.size() == dweight.dim(0), ShapeError,
               "[linear_backward_weight] dbias {} must hold one value a column of dy {}",
               dbias.shape().text(), dy.shape().text());
  outer_products<Real>("linear_backward_weight", dy, x, dweight, dbias);
}

template <class Real>
void linear_backward_bias(View<const Real> dy, View<Real> dbias) {
  ATTUNE_CHECK(dy.rank() == 2 && dbias.size() == dy.dim(1), ShapeError,
               "[linear_backward_bias] dbias {} must hold one value a column of dy {}",
               dbias.shape().text(), dy.shape().text());
  const Index n = dy.dim(0), d = dy.dim(1), n_chunks = (n + kBiasChunk - 1) / kBiasChunk;
  Scratch scratch;
  const View<Real> partial = scratch.view<Real>({n_chunks, d});
  parallel_ranges("linear_backward_bias", n, kBiasChunk, 0.1 * static_cast<double>(n * d),
                  [&](Index begin, Index end) {
                    for (Index j = 0; j < d; j += kLanes<Real>) {
                      const Index columns = std::min<Index>(kLanes<Real>, d - j);
                      Vec<Real> sum(Real(0));
                      for (Index i = begin; i < end; ++i) sum += load_n(dy.row(i) + j, columns);
                      store_n(partial.row(begin / kBiasChunk) + j, columns, sum);
                    }
                  });
  for (Index chunk = 0; chunk < n_chunks; ++chunk) {
    for (Index j = 0; j < d; ++j) dbias[j] += partial(chunk, j);
  }
}

template <class Real>
void add_bias(View<const Real> x, View<const Real> bias, View<Real> y) {
  ATTUNE_CHECK(x.rank() == 2 && bias.size() == x.dim(1) && y.shape() == x.shape(), ShapeError,
               "[add_bias] bias {} must hold one value a column of x {}, and y {} be as x",
               bias.shape().text(), x.shape().text(), y.shape().text());
  const Index n = x.dim(0), d = x.dim(1);
  parallel_ranges(
      "add_bias", n, kRowsPerBlock, 0.1 * static_cast<double>(n * d), [&](Index begin, Index end) {
        for (Index i = begin; i < end; ++i)
          for_lanes<Real>(d, [&](Index j, auto lanes) {
            lanes.store(y.row(i) + j, lanes.load(x.row(i) + j) + lanes.load(bias.data() + j));
          });
      });
}

template void add_bias(View<const float>, View<const float>, View<float>);
template void add_bias(View<const double>, View<const double>, View<double>);
template void linear(View<const float>, View<const float>, View<const float>, View<float>);
template void linear_backward_input(View<const float>, View<const float>, View<float>, bool);
template void linear_backward_weight(View<const float>, View<const float>, View<float>,
                                     View<float>);
template void linear_backward_bias(View<const float>, View<float>);
template void linear(View<const double>, View<const double>, View<const double>, View<double>);
template void linear_backward_input(View<const double>, View<const double>, View<double>, bool);
template void linear_backward_weight(View<const double>, View<const double>, View<double>,
                                     View<double>);
template void linear_backward_bias(View<const double>, View<double>);

}  // namespace attune::kernels
