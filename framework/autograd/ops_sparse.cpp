// Ops on sparse rows.
#include <map>

#include "autograd/absent.h"
#include "autograd/drawing_options.h"
#include "autograd/op_checks.h"
#include "autograd/ops.h"
#include "kernels/linear.h"
#include "kernels/sparse.h"

namespace attune {
namespace {

template <class Real>
SparseRows rows_of(const OpCall<Real>& c) {
  return {c.index[0], c.index[1]};
}

template <class Real>
void check_entries(const OpCall<Real>& c, const Op& op) {
  index_size(c, op, 0);
  same_shape(c, op, 0, {index_size(c, op, 1)});
  ATTUNE_CHECK(c.index[0].size() > 0, ShapeError,
               "[{}] indptr is empty: of n rows it has n + 1 numbers", op.name);
}

template <class Real>
void linear_shapes(const OpCall<Real>& c, OpShapes& s) {
  check_entries(c, sparse_linear_op);
  const Shape w = rank_of(c, sparse_linear_op, 1, 2);
  if (c.in[2]) same_shape(c, sparse_linear_op, 2, {w[0]});
  s.out[0] = {c.index[0].size() - 1, w[0]};
}

template <class Real>
void linear_forward(OpCall<Real>& c) {
  kernels::sparse_linear<Real>(c.in[0], rows_of(c), c.in[1], c.in[2], c.out[0]);
}

template <class Real>
void linear_backward(OpCall<Real>& c) {
  const SparseRows rows = rows_of(c);
  if (c.grad_in[0])
    kernels::sparse_linear_backward_values<Real>(c.grad_out[0], rows, c.in[1], c.grad_in[0]);
  if (c.grad_in[1])
    kernels::sparse_linear_backward_weight<Real>(c.grad_out[0], c.in[0], rows, c.grad_in[1]);
  if (c.grad_in[2]) kernels::linear_backward_bias<Real>(c.grad_out[0], c.grad_in[2]);
}

template <class Real>
kernels::DropoutOptions kernel_options(const OpCall<Real>& c) {
  const auto& o = c.template as<DropoutOptions>();
  return {o.p, o.key, static_cast<std::uint32_t>(o.step)};
}

template <class Real>
void dropout_shapes(const OpCall<Real>& c, OpShapes& s) {
  check_entries(c, sparse_dropout_op);
  kernels::check_sparse("sparse_dropout", rows_of(c), Index{1} << 23);
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

// Without sequences of their own all rows are those of one example.
const Absent one_example_of_rows = {
    "0 for each row: one example",
    [](std::span<const Shape>, std::span<const std::vector<std::int32_t>> indices) {
      return std::vector<std::int32_t>(indices[0].empty() ? 0 : indices[0].size() - 1, 0);
    }};
const Absent number_in_example = {
    "rows before it that are of the same example",
    [](std::span<const Shape>, std::span<const std::vector<std::int32_t>> indices) {
      std::vector<std::int32_t> token;
      std::map<std::int32_t, std::int32_t> seen;
      for (const std::int32_t example : indices[2]) token.push_back(seen[example]++);
      return token;
    }};

}  // namespace

const Op sparse_linear_op{
    .name = "sparse_linear",
    .maths = "y = X Wᵀ + b, X of rows with values_e in column indices_e, indptr_i ≤ e < indptr_i+1",
    .inputs = {{"values", "[entries]"}, {"weight", "[d_out, d_in]"}, {"bias", "[d_out]", true}},
    .indices = {{"indptr", "[n+1]"}, {"indices", "[entries]"}},
    .outputs = {{"y", "[n, d_out]"}},
    .options = make_options<NoOptions>,
    .f32 = {linear_shapes<float>, linear_forward<float>, linear_backward<float>},
    .f64 = {linear_shapes<double>, linear_forward<double>, linear_backward<double>},
};

const Op sparse_dropout_op{
    .name = "sparse_dropout",
    .maths = "y = M ∘ values / (1 − p̂), M what dropout draws for these columns of the dense rows",
    .inputs = {{"values", "[entries]"}},
    .indices = {{"indptr", "[n+1]"},
                {"indices", "[entries]"},
                {"example", "[n]", true, &one_example_of_rows},
                {"token", "[n]", true, &number_in_example}},
    .outputs = {{"y", "[entries]"}},
    .options = make_drawing_options<DropoutOptions>,
    .f32 = {dropout_shapes<float>, dropout_forward<float>, dropout_backward<float>},
    .f64 = {dropout_shapes<double>, dropout_forward<double>, dropout_backward<double>},
};

}  // namespace attune
