// Ops on sparse rows: their product with a matrix, and dropout of what they store.
#include "autograd/absent.h"
#include "autograd/drawing_options.h"
#include "autograd/op_checks.h"
#include "autograd/ops.h"
#include "kernels/linear.h"
#include "kernels/sparse_linear.h"

namespace attune {
namespace {

template <class Real>
SparseRows rows_of(const OpCall<Real>& c) {
  return {c.index[0], c.index[1]};
}

template <class Real>
void linear_shapes(const OpCall<Real>& c, OpShapes& s) {
  const Shape w = rank_of(c, sparse_linear_op, 1, 2);
  same_shape(c, sparse_linear_op, 0, {index_size(c, sparse_linear_op, 1)});
  if (c.in[2]) same_shape(c, sparse_linear_op, 2, {w[0]});
  const Index bounds = index_size(c, sparse_linear_op, 0);
  ATTUNE_CHECK(bounds > 0, ShapeError, "[sparse_linear] indptr is empty; it must be [n+1]");
  s.out[0] = {bounds - 1, w[0]};
}
template <class Real>
void linear_forward(OpCall<Real>& c) {
  kernels::sparse_linear<Real>(rows_of(c), c.in[0], c.in[1], c.in[2], c.out[0]);
}
template <class Real>
void linear_backward(OpCall<Real>& c) {
  kernels::sparse_linear_backward<Real>(rows_of(c), c.grad_out[0], c.in[0], c.in[1], c.grad_in[0],
                                        c.grad_in[1]);
  if (c.grad_in[2]) kernels::linear_backward_bias<Real>(c.grad_out[0], c.grad_in[2]);
}

// A product each for the gradients of values and weight.
template <class Real>
double linear_flops(const OpCall<Real>& c, bool backward) {
  const int products = backward ? bool(c.grad_in[0]) + bool(c.grad_in[1]) : 1;
  return 2.0 * products * static_cast<double>(c.in[0].size()) * static_cast<double>(c.in[1].dim(0));
}

template <class Real>
kernels::DropoutOptions kernel_options(const OpCall<Real>& c) {
  const auto& o = c.template as<DropoutOptions>();
  return {o.p, o.key, static_cast<std::uint32_t>(o.step)};
}
template <class Real>
void dropout_shapes(const OpCall<Real>& c, OpShapes& s) {
  same_shape(c, sparse_dropout_op, 0, {index_size(c, sparse_dropout_op, 1)});
  s.out[0] = c.in[0].shape();
}
template <class Real>
void dropout_forward(OpCall<Real>& c) {
  kernels::sparse_dropout<Real>(kernel_options(c), rows_of(c), c.index[2], c.index[3], c.in[0],
                                c.out[0]);
}
template <class Real>
void dropout_backward(OpCall<Real>& c) {
  kernels::sparse_dropout_backward<Real>(kernel_options(c), rows_of(c), c.index[2], c.index[3],
                                         c.grad_out[0], c.grad_in[0]);
}

}  // namespace

const Op sparse_linear_op{
    .name = "sparse_linear",
    .maths = "y = X Wᵀ + b, X's row i having values[e] at column indices[e] for its entries e",
    .inputs = {{"values", "[entries]"}, {"weight", "[d_out, d_in]"}, {"bias", "[d_out]", true}},
    .indices = {{"indptr", "[n+1]"}, {"indices", "[entries]"}},
    .outputs = {{"y", "[n, d_out]"}},
    .options = make_options<NoOptions>,
    .f32 = {.shapes = linear_shapes<float>,
            .forward = linear_forward<float>,
            .backward = linear_backward<float>,
            .flops = linear_flops<float>},
    .f64 = {.shapes = linear_shapes<double>,
            .forward = linear_forward<double>,
            .backward = linear_backward<double>,
            .flops = linear_flops<double>},
};

const Op sparse_dropout_op{
    .name = "sparse_dropout",
    .maths = "y = M ∘ values / (1 − p̂), M as dropout of the dense matrix draws it",
    .inputs = {{"values", "[entries]"}},
    .indices = {{"indptr", "[n+1]"},
                {"indices", "[entries]"},
                {"example", "[n]", true, &absent::one_example_of_bounded},
                {"token", "[n]", true, &absent::place_in_bounded}},
    .outputs = {{"y", "[entries]"}},
    .options = make_drawing_options<DropoutOptions>,
    .f32 = {dropout_shapes<float>, dropout_forward<float>, dropout_backward<float>},
    .f64 = {dropout_shapes<double>, dropout_forward<double>, dropout_backward<double>},
};

}  // namespace attune
