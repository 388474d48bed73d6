#include <algorithm>
#include <cmath>

#include "autograd/op_checks.h"
#include "autograd/ops.h"

namespace attune {
namespace {

Index kv_heads(const AttentionOptions& o) { return o.n_kv_heads == 0 ? o.n_heads : o.n_kv_heads; }

template <class Real>
void shapes(const OpCall<Real>& c, OpShapes& s) {
  const auto& o = c.template as<AttentionOptions>();
  const Shape q = rank_of(c, attention_op, 0, 2), k = rank_of(c, attention_op, 1, 2),
              v = rank_of(c, attention_op, 2, 2);
  const Index h = o.n_heads, h_kv = kv_heads(o);
  ATTUNE_CHECK(h >= 1 && h_kv >= 1 && h % h_kv == 0, ShapeError,
               "[attention] n_heads={} is no multiple of n_kv_heads={}", h, h_kv);
  ATTUNE_CHECK(q[1] % h == 0, ShapeError,
               "[attention] q has {} columns, which {} heads do not divide", q[1], h);
  const Index d_k = q[1] / h;
  ATTUNE_CHECK(k[1] == h_kv * d_k, ShapeError,
               "[attention] q has {} heads of width {} ({} columns), k has {} columns: k's width "
               "must be n_kv_heads · d_k = {} · {} = {}. Set n_kv_heads={} if keys are shared.",
               h, d_k, q[1], k[1], h_kv, d_k, h_kv * d_k, d_k > 0 ? k[1] / d_k : 0);
  ATTUNE_CHECK(v[0] == k[0] && v[1] % h_kv == 0, ShapeError,
               "[attention] v {} must have as many rows as k {}, and columns for {} heads",
               v.text(), k.text(), h_kv);
  s.out[0] = {q[0], h * (v[1] / h_kv)};
  s.out[1] = {q[0], h};
  const Index n = check_offsets(c, attention_op, 0, q[0]);
  const Index n_keys = check_offsets(c, attention_op, 1, k[0]);
  ATTUNE_CHECK(n == n_keys, ShapeError, "[attention] q_offsets bound {} sequences, k_offsets {}", n,
               n_keys);
  ATTUNE_CHECK(c.index[2] || o.dropout.p == 0, ShapeError,
               "[attention] dropout needs example ids [{}], which key its mask", n);
}

template <class Real>
kernels::AttentionOptions kernel_options(const OpCall<Real>& c) {
  const auto& o = c.template as<AttentionOptions>();
  kernels::AttentionOptions k;
  k.n_heads = o.n_heads;
  k.n_kv_heads = kv_heads(o);
  k.d_k = c.in[0].dim(1) / k.n_heads;
  k.d_v = c.in[2].dim(1) / k.n_kv_heads;
  k.scale = o.scale != 0 ? o.scale : 1.0 / std::sqrt(static_cast<double>(k.d_k));
  k.pattern = o.pattern;
  k.dropout = o.dropout.p;
  k.stream_key = o.dropout.key;
  k.step = static_cast<std::uint32_t>(o.dropout.step);
  return k;
}

template <class Real>
kernels::AttentionRows kernel_rows(const OpCall<Real>& c) {
  return {c.index[0], c.index[1], c.index[2]};
}

template <class Real>
void forward(OpCall<Real>& c) {
  kernels::attention<Real>(kernel_options(c), kernel_rows(c), c.in[0], c.in[1], c.in[2], c.out[0],
                           c.out[1]);
}

template <class Real>
void backward(OpCall<Real>& c) {
  Scratch scratch;
  std::array<View<Real>, 3> grad;
  for (std::size_t i = 0; i < 3; ++i) {
    // The kernel gives all three at once; one that nobody wants goes to scratch.
    grad[i] = c.grad_in[i] ? c.grad_in[i] : scratch.view<Real>(c.in[i].shape());
    if (!c.grad_in[i]) std::fill(grad[i].begin(), grad[i].end(), Real(0));
  }
  kernels::attention_backward<Real>(kernel_options(c), kernel_rows(c), c.grad_out[0], c.in[0],
                                    c.in[1], c.in[2], c.out[0], c.out[1], grad[0], grad[1],
                                    grad[2]);
}

}  // namespace

void AttentionOptions::fields(FieldList& f) {
  f.integer("n_heads", n_heads, {1, 4096}, Role::result, "query heads");
  f.integer("n_kv_heads", n_kv_heads, {0, 4096}, Role::result, "key heads; 0: as many as queries");
  f.real("scale", scale, {0, 1e6}, Role::result, "of the scores; 0: 1/sqrt(d_k)");
  f.choice("pattern", pattern,
           {{"full", AttentionPattern::full}, {"causal", AttentionPattern::causal}}, Role::result,
           "which keys a query sees");
  f.group("dropout", dropout, "of attention weights");
}

const Op attention_op{
    .name = "attention",
    .maths =
        "y_i = Σ_j softmax_j(scale · q_i·k_j) v_j by head and sequence; lse_i = log Σ_j exp(…)",
    .inputs = {{"q", "[n_q, n_heads·d_k]"},
               {"k", "[n_k, n_kv_heads·d_k]"},
               {"v", "[n_k, n_kv_heads·d_v]"}},
    .indices = {{"q_offsets", "[B+1]"}, {"k_offsets", "[B+1]"}, {"example", "[B]", true}},
    .outputs = {{"y", "[n_q, n_heads·d_v]"}, {"lse", "[n_q, n_heads]"}},
    .options = make_options<AttentionOptions>,
    .f32 = {shapes<float>, forward<float>, backward<float>},
    .f64 = {shapes<double>, forward<double>, backward<double>},
};

}  // namespace attune
