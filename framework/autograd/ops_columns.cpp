// Ops on the columns of a row: put side by side, averaged over heads.
#include "autograd/op_checks.h"
#include "autograd/ops.h"
#include "kernels/columns.h"

namespace attune {
namespace {

template <class Real>
void concat_shapes(const OpCall<Real>& c, OpShapes& s) {
  const Shape a = rank_of(c, concat_columns_op, 0, 2), b = rank_of(c, concat_columns_op, 1, 2);
  ATTUNE_CHECK(a[0] == b[0], ShapeError, "[concat_columns] a {} and b {} must have as many rows",
               a.text(), b.text());
  s.out[0] = {a[0], a[1] + b[1]};
}
template <class Real>
void concat_forward(OpCall<Real>& c) {
  kernels::concat_columns<Real>(c.in[0], c.in[1], c.out[0]);
}
template <class Real>
void concat_backward(OpCall<Real>& c) {
  kernels::concat_columns_backward<Real>(c.grad_out[0], c.grad_in[0], c.grad_in[1]);
}

template <class Real>
Index n_heads(const OpCall<Real>& c) {
  return c.template as<MeanHeadsOptions>().n_heads;
}
template <class Real>
void mean_shapes(const OpCall<Real>& c, OpShapes& s) {
  const Shape x = rank_of(c, mean_heads_op, 0, 2);
  ATTUNE_CHECK(n_heads(c) >= 1 && x[1] % n_heads(c) == 0, ShapeError,
               "[mean_heads] x {} has {} columns, which n_heads={} does not divide", x.text(), x[1],
               n_heads(c));
  s.out[0] = {x[0], x[1] / n_heads(c)};
}
template <class Real>
void mean_forward(OpCall<Real>& c) {
  kernels::mean_heads<Real>(n_heads(c), c.in[0], c.out[0]);
}
template <class Real>
void mean_backward(OpCall<Real>& c) {
  kernels::mean_heads_backward<Real>(n_heads(c), c.grad_out[0], c.grad_in[0]);
}

}  // namespace

void MeanHeadsOptions::fields(FieldList& f) {
  f.integer("n_heads", n_heads, {1, 4096}, Role::result, "heads of a row");
}

const Op concat_columns_op{
    .name = "concat_columns",
    .maths = "y = [a, b], side by side",
    .inputs = {{"a", "[n, d_a]"}, {"b", "[n, d_b]"}},
    .indices = {},
    .outputs = {{"y", "[n, d_a+d_b]"}},
    .options = make_options<NoOptions>,
    .f32 = {concat_shapes<float>, concat_forward<float>, concat_backward<float>},
    .f64 = {concat_shapes<double>, concat_forward<double>, concat_backward<double>},
};

const Op mean_heads_op{
    .name = "mean_heads",
    .maths = "y = mean of a row's heads, each of d columns",
    .inputs = {{"x", "[n, n_heads·d]"}},
    .indices = {},
    .outputs = {{"y", "[n, d]"}},
    .options = make_options<MeanHeadsOptions>,
    .f32 = {mean_shapes<float>, mean_forward<float>, mean_backward<float>},
    .f64 = {mean_shapes<double>, mean_forward<double>, mean_backward<double>},
};

}  // namespace attune
