#include "kernels/feed_forward.h"

#include "kernels/gemm_packing.h"
#include "kernels/lanes.h"
#include "kernels/linear.h"
#include "kernels/parallel.h"

namespace attune::kernels {
namespace {

template <class Real>
Matrix<const Real> read(View<const Real> x) {
  return {x.data(), x.dim(1), 1};
}
template <class Real>
Matrix<Real> write(View<Real> x) {
  return {x.data(), x.dim(1), 1};
}
template <class Real>
Matrix<const Real> transposed(View<const Real> x) {
  return {x.data(), 1, x.dim(1)};
}

template <class Real>
void check(const char* kernel, View<const Real> x, const FeedForward<const Real>& w,
           const Shape& y) {
  check_rank(kernel, "x", x, 2);
  check_rank(kernel, "w1", w.w1, 2);
  check_rank(kernel, "w2", w.w2, 2);
  check_shape(kernel, "w1", w.w1, {w.w1.dim(0), x.dim(1)}, "x's columns");
  check_shape(kernel, "w2", w.w2, {w.w2.dim(0), w.w1.dim(0)}, "w1's rows");
  if (w.b1) check_shape(kernel, "b1", w.b1, {w.w1.dim(0)}, "w1's rows");
  if (w.b2) check_shape(kernel, "b2", w.b2, {w.w2.dim(0)}, "w2's rows");
  ATTUNE_CHECK(y == Shape({x.dim(0), w.w2.dim(0)}), ShapeError,
               "[{}] outputs are {}, but must be [{}, {}].", kernel, y.text(), x.dim(0),
               w.w2.dim(0));
}

}  // namespace

template <class Real>
void feed_forward(GeluForm form, View<const Real> x, const FeedForward<const Real>& w,
                  View<Real> hidden, View<Real> slope, View<Real> y) {
  check("feed_forward", x, w, y.shape());
  const Index n = x.dim(0), d_in = x.dim(1), d_hidden = w.w1.dim(0), d_out = w.w2.dim(0);
  if (hidden) check_shape("feed_forward", "hidden", hidden, {n, d_hidden}, "rows and w1");
  if (slope) check_shape("feed_forward", "slope", slope, {n, d_hidden}, "rows and w1");
  const RowTasks tasks(n);
  const double cost = gemm_cost(n, d_hidden, d_in + d_out) + static_cast<double>(n * d_hidden);
  parallel_shares("feed_forward", tasks.count(), cost, [&](Blocks& blocks) {
    Scratch local;
    const auto up = pack_panels<Real>(d_in, d_hidden, transposed(w.w1), local);
    const auto down = pack_panels<Real>(d_hidden, d_out, transposed(w.w2), local);
    const auto memory = hidden ? View<Real>() : local.view<Real>({tasks.most_rows(), d_hidden});
    for (Index block = 0; blocks.next(block);) {
      const Index row = tasks.first(block), height = tasks.rows(block);
      const auto values = hidden ? hidden.rows(row, height) : memory.rows(0, height);
      const auto before = slope ? slope.rows(row, height) : values;
      rows_times_panels<Real>(height, at_row(read(x), row), up, {w.b1.data(), 0, 1}, write(before));
      gelu<Real>(form, before, values, slope ? before : View<Real>());
      rows_times_panels<Real>(height, read(View<const Real>(values)), down, {w.b2.data(), 0, 1},
                              at_row(write(y), row));
    }
  });
}

template <class Real>
void feed_forward_backward(View<const Real> dy, View<const Real> x,
                           const FeedForward<const Real>& w, View<const Real> hidden,
                           View<Real> slope, View<Real> dx, bool fresh_dx,
                           const FeedForward<Real>& g) {
  check("feed_forward_backward", x, w, dy.shape());
  const Index n = x.dim(0), d_in = x.dim(1), d_hidden = w.w1.dim(0), d_out = w.w2.dim(0);
  check_shape("feed_forward_backward", "hidden", hidden, {n, d_hidden}, "rows and w1");
  check_shape("feed_forward_backward", "slope", slope, {n, d_hidden}, "rows and w1");
  if (dx) check_shape("feed_forward_backward", "dx", dx, x.shape(), "x");
  const RowTasks tasks(n);
  const double cost = gemm_cost(n, d_hidden, d_out + (dx ? d_in : 0));
  parallel_shares("feed_forward_backward", tasks.count(), cost, [&](Blocks& blocks) {
    Scratch local;
    const auto up = pack_panels<Real>(d_out, d_hidden, read(w.w2), local);
    const auto down = dx ? pack_panels<Real>(d_hidden, d_in, read(w.w1), local) : Panels<Real>{};
    const auto memory = local.view<Real>({tasks.most_rows(), d_hidden});
    for (Index block = 0; blocks.next(block);) {
      const Index row = tasks.first(block), height = tasks.rows(block);
      const auto behind = memory.rows(0, height), before = slope.rows(row, height);
      rows_times_panels<Real>(height, at_row(read(dy), row), up, {nullptr, 0, 1}, write(behind));
      chain<Real>(before, behind, before, true);
      if (!dx) continue;
      const Matrix<Real> to = at_row(write(dx), row);
      rows_times_panels<Real>(height, read(View<const Real>(before)), down,
                              {fresh_dx ? nullptr : to.data, to.row, 1}, to);
    }
  });
  const View<const Real> dhidden = slope;
  linear_backward_weight<Real>(dy, hidden, g.w2, g.b2);
  linear_backward_weight<Real>(dhidden, x, g.w1, g.b1);
}

template void feed_forward(GeluForm, View<const float>, const FeedForward<const float>&,
                           View<float>, View<float>, View<float>);
template void feed_forward(GeluForm, View<const double>, const FeedForward<const double>&,
                           View<double>, View<double>, View<double>);
template void feed_forward_backward(View<const float>, View<const float>,
                                    const FeedForward<const float>&, View<const float>, View<float>,
                                    View<float>, bool, const FeedForward<float>&);
template void feed_forward_backward(View<const double>, View<const double>,
                                    const FeedForward<const double>&, View<const double>,
                                    View<double>, View<double>, bool, const FeedForward<double>&);

}  // namespace attune::kernels
