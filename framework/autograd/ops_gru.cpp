#include "autograd/absent.h"
#include "autograd/op_checks.h"
#include "autograd/ops.h"
#include "kernels/gru.h"

namespace attune {
namespace {

// Operands as the op's record has them.
enum : std::size_t { kX, kInput, kState, kInputBias, kStateBias, kFirst };

template <class Real>
bool reverse(const OpCall<Real>& c) {
  return c.template as<GruOptions>().reverse;
}

template <class Real>
void shapes(const OpCall<Real>& c, OpShapes& s) {
  const Shape x = rank_of(c, gru_op, kX, 2), w_hh = rank_of(c, gru_op, kState, 2);
  const Index n = x[0], h = w_hh[1], n_sequences = check_offsets(c, gru_op, 0, n);
  same_shape(c, gru_op, kState, {3 * h, h});
  same_shape(c, gru_op, kInput, {3 * h, x[1]});
  same_shape(c, gru_op, kInputBias, {3 * h});
  same_shape(c, gru_op, kStateBias, {3 * h});
  if (c.in[kFirst]) same_shape(c, gru_op, kFirst, {n_sequences, h});
  s.out[0] = {n, h};
  s.out[1] = {n_sequences, h};
  s.save({n, 4 * h});  // gates
}

template <class Real>
kernels::GruWeights<const Real> weights(const OpCall<Real>& c) {
  return {c.in[kInput], c.in[kState], c.in[kInputBias], c.in[kStateBias]};
}

template <class Real>
void forward(OpCall<Real>& c) {
  kernels::gru<Real>(c.in[kX], c.index[0], c.in[kFirst], weights(c), reverse(c), c.out[0], c.out[1],
                     c.saved[0]);
}

template <class Real>
void backward(OpCall<Real>& c) {
  kernels::gru_backward<Real>(
      c.grad_out[0], c.grad_out[1], c.in[kX], c.index[0], c.in[kFirst], weights(c), reverse(c),
      c.out[0], c.saved[0], c.grad_in[kX], c.grad_in[kFirst],
      {c.grad_in[kInput], c.grad_in[kState], c.grad_in[kInputBias], c.grad_in[kStateBias]});
}

}  // namespace

void GruOptions::fields(FieldList& f) {
  f.boolean("reverse", reverse, Role::result, "each sequence is read from its last row on");
}

const Op gru_op{
    .name = "gru",
    .maths =
        "r, z = σ(W_i x + b_i + W_h h + b_h), n = tanh(W_in x + b_in + r (W_hn h + b_hn)), "
        "h' = (1 − z) n + z h, by row; gates stacked as r, z, n",
    .inputs = {{"x", "[n, d_in]"},
               {"w_ih", "[3h, d_in]"},
               {"w_hh", "[3h, h]"},
               {"b_ih", "[3h]"},
               {"b_hh", "[3h]"},
               {"h0", "[B, h]", true}},
    .indices = {{"offsets", "[B+1]", false, &absent::one_sequence}},
    .outputs = {{"y", "[n, h]"}, {"h_n", "[B, h]"}},
    .options = make_options<GruOptions>,
    .f32 = {shapes<float>, forward<float>, backward<float>},
    .f64 = {shapes<double>, forward<double>, backward<double>},
};

}  // namespace attune
