// Ops of attention that forms no pairs: feature maps, sums of keys and values, projected rows.
#include "autograd/absent.h"
#include "autograd/op_checks.h"
#include "autograd/ops.h"
#include "kernels/heads.h"
#include "kernels/linear_attention.h"
#include "kernels/project_rows.h"

namespace attune {
namespace {

template <class Real>
kernels::LinearAttentionOptions kernel_options(const OpCall<Real>& c) {
  const auto& o = c.template as<LinearAttentionOptions>();
  return {o.n_heads, o.n_kv_heads == 0 ? o.n_heads : o.n_kv_heads, o.causal};
}

template <class Real>
void linear_shapes(const OpCall<Real>& c, OpShapes& s) {
  const Shape q = rank_of(c, linear_attention_op, 0, 2), k = rank_of(c, linear_attention_op, 1, 2),
              v = rank_of(c, linear_attention_op, 2, 2);
  const kernels::LinearAttentionOptions o = kernel_options(c);
  check_offsets(c, linear_attention_op, 0, q[0]);
  check_offsets(c, linear_attention_op, 1, k[0]);
  ATTUNE_CHECK(v[1] % o.n_kv_heads == 0, ShapeError,
               "[linear_attention] v has {} columns, which {} heads do not divide", v[1],
               o.n_kv_heads);
  s.out[0] = {q[0], o.n_heads * (v[1] / o.n_kv_heads)};
  s.save({q[0], o.n_heads});  // sums of weights
}
template <class Real>
void linear_forward(OpCall<Real>& c) {
  Scratch scratch;
  const kernels::LinearAttentionOptions o = kernel_options(c);
  kernels::linear_attention<Real>(
      o, c.index[0], c.index[1], c.in[0], c.in[1], c.in[2], c.out[0],
      c.training ? c.saved[0] : scratch.view<Real>({c.in[0].dim(0), o.n_heads}));
}
template <class Real>
void linear_backward(OpCall<Real>& c) {
  Scratch scratch;
  std::array<View<Real>, 3> grad;
  for (std::size_t i = 0; i < 3; ++i) {
    // The kernel gives all three at once; one that nobody wants goes to scratch.
    grad[i] = c.grad_in[i] ? c.grad_in[i] : scratch.view<Real>(c.in[i].shape());
    if (!c.grad_in[i]) std::fill(grad[i].begin(), grad[i].end(), Real(0));
  }
  kernels::linear_attention_backward<Real>(kernel_options(c), c.index[0], c.index[1], c.grad_out[0],
                                           c.in[0], c.in[1], c.in[2], c.out[0], c.saved[0], grad[0],
                                           grad[1], grad[2]);
}

template <class Real>
void features_shapes(const OpCall<Real>& c, OpShapes& s) {
  const Shape x = rank_of(c, performer_features_op, 0, 2),
              directions = rank_of(c, performer_features_op, 1, 2);
  check_offsets(c, performer_features_op, 0, x[0]);
  ATTUNE_CHECK(directions[1] > 0 && x[1] % directions[1] == 0, ShapeError,
               "[performer_features] x has {} columns, which directions of {} do not divide", x[1],
               directions[1]);
  s.out[0] = {x[0], x[1] / directions[1] * directions[0]};
}
template <class Real>
void features_forward(OpCall<Real>& c) {
  kernels::performer_features<Real>(c.template as<PerformerOptions>().shift, c.index[0], c.in[0],
                                    c.in[1], c.out[0]);
}
template <class Real>
void features_backward(OpCall<Real>& c) {
  kernels::performer_features_backward<Real>(c.template as<PerformerOptions>().shift, c.index[0],
                                             c.grad_out[0], c.in[0], c.in[1], c.out[0],
                                             c.grad_in[0], c.grad_in[1]);
}

template <class Real>
void project_shapes(const OpCall<Real>& c, OpShapes& s) {
  const Shape x = rank_of(c, project_rows_op, 0, 2), weight = rank_of(c, project_rows_op, 1, 2);
  s.out[0] = {check_offsets(c, project_rows_op, 0, x[0]) * weight[0], x[1]};
}
template <class Real>
void project_forward(OpCall<Real>& c) {
  kernels::project_rows<Real>(c.in[0], c.in[1], c.index[0], c.out[0]);
}
template <class Real>
void project_backward(OpCall<Real>& c) {
  kernels::project_rows_backward<Real>(c.grad_out[0], c.in[0], c.in[1], c.index[0], c.grad_in[0],
                                       c.grad_in[1]);
}

template <class Real>
void repeat_shapes(const OpCall<Real>& c, OpShapes& s) {
  const Shape x = rank_of(c, repeat_columns_op, 0, 2);
  s.out[0] = {x[0], c.template as<RepeatOptions>().times * x[1]};
}
template <class Real>
void repeat_forward(OpCall<Real>& c) {
  kernels::repeat_columns<Real>(c.in[0], c.out[0]);
}
template <class Real>
void repeat_backward(OpCall<Real>& c) {
  kernels::repeat_columns_backward<Real>(c.grad_out[0], c.grad_in[0]);
}

}  // namespace

void LinearAttentionOptions::fields(FieldList& f) {
  f.integer("n_heads", n_heads, {1, 4096}, Role::result, "query heads");
  f.integer("n_kv_heads", n_kv_heads, {0, 4096}, Role::result, "key heads; 0: as many as queries");
  f.boolean("causal", causal, Role::result, "keys up to the query's place alone");
}

void PerformerOptions::fields(FieldList& f) {
  f.choice("shift", shift,
           {{"row", kernels::FeatureShift::row},
            {"sequence", kernels::FeatureShift::sequence},
            {"none", kernels::FeatureShift::none}},
           Role::result,
           "what exponents of a head lose before exp: the largest of the row (for queries) or of "
           "the sequence (for keys), or nothing");
}

void RepeatOptions::fields(FieldList& f) {
  f.integer("times", times, {1, 4096}, Role::result, "how often x stands in y");
}

const Op linear_attention_op{
    .name = "linear_attention",
    .maths = "y_i = Σ_j (q_i · k_j) v_j / Σ_j q_i · k_j by head and sequence, of features q, k ≥ 0",
    .inputs = {{"q", "[n_q, n_heads·d_k]"},
               {"k", "[n_k, n_kv_heads·d_k]"},
               {"v", "[n_k, n_kv_heads·d_v]"}},
    .indices = {{"q_offsets", "[B+1]", false, &absent::one_sequence},
                {"k_offsets", "[B+1]", false, &absent::one_sequence_of_second}},
    .outputs = {{"y", "[n_q, n_heads·d_v]"}},
    .options = make_options<LinearAttentionOptions>,
    .f32 = {linear_shapes<float>, linear_forward<float>, linear_backward<float>},
    .f64 = {linear_shapes<double>, linear_forward<double>, linear_backward<double>},
};

const Op performer_features_op{
    .name = "performer_features",
    .maths = "y_f = exp(ω_f · x̂ − |x̂|²/2 − shift) / sqrt(m) by head, x̂ = x / d^¼",
    .inputs = {{"x", "[n, n_heads·d]"}, {"directions", "[m, d]"}},
    .indices = {{"offsets", "[B+1]", false, &absent::one_sequence}},
    .outputs = {{"y", "[n, n_heads·m]"}},
    .options = make_options<PerformerOptions>,
    .f32 = {features_shapes<float>, features_forward<float>, features_backward<float>},
    .f64 = {features_shapes<double>, features_forward<double>, features_backward<double>},
};

const Op project_rows_op{
    .name = "project_rows",
    .maths = "y_e = weight[:, :n_e] x_e: the n_e rows of each sequence mixed to k",
    .inputs = {{"x", "[n, d]"}, {"weight", "[k, length]"}},
    .indices = {{"offsets", "[B+1]", false, &absent::one_sequence}},
    .outputs = {{"y", "[B·k, d]"}},
    .options = make_options<NoOptions>,
    .f32 = {project_shapes<float>, project_forward<float>, project_backward<float>},
    .f64 = {project_shapes<double>, project_forward<double>, project_backward<double>},
};

const Op repeat_columns_op{
    .name = "repeat_columns",
    .maths = "y = x side by side, `times` times",
    .inputs = {{"x", "[n, d]"}},
    .indices = {},
    .outputs = {{"y", "[n, times·d]"}},
    .options = make_options<RepeatOptions>,
    .f32 = {repeat_shapes<float>, repeat_forward<float>, repeat_backward<float>},
    .f64 = {repeat_shapes<double>, repeat_forward<double>, repeat_backward<double>},
};

template <class Real>
void linear_attention_weights(const Tape<Real>& t, Var q, Var k, View<const std::int32_t> q_offsets,
                              View<const std::int32_t> k_offsets,
                              const LinearAttentionOptions& options,
                              const kernels::WeightReader<Real>& read) {
  OpCall<Real> call;
  call.options = &options;
  kernels::linear_attention_weights<Real>(kernel_options(call), q_offsets, k_offsets, t.value(q),
                                          t.value(k), read);
}

template void linear_attention_weights(const Tape<float>&, Var, Var, View<const std::int32_t>,
                                       View<const std::int32_t>, const LinearAttentionOptions&,
                                       const kernels::WeightReader<float>&);
template void linear_attention_weights(const Tape<double>&, Var, Var, View<const std::int32_t>,
                                       View<const std::int32_t>, const LinearAttentionOptions&,
                                       const kernels::WeightReader<double>&);

}  // namespace attune
