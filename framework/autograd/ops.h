#pragma once

#include <optional>

#include "autograd/tape.h"
#include "kernels/attention_weights.h"
#include "kernels/graph_aggregate.h"
#include "kernels/graph_attention.h"
#include "kernels/heads.h"
#include "kernels/performer.h"
#include "kernels/pointwise.h"
#include "tensor/packed.h"

// The ops as functions on a tape, one line each; mathematics and shapes stand in their records
// (ops_*.cpp). Rows are packed: n rows of several examples, bounded by offsets.
namespace attune {

using GeluForm = kernels::GeluForm;
using AttentionPattern = kernels::Pattern;

struct GeluOptions {
  GeluForm approximate = GeluForm::erf;
  void fields(FieldList& f);
};

struct NormOptions {
  double eps = 1e-5;
  void fields(FieldList& f);
};

struct SoftmaxOptions {
  double temperature = 1.0;
  void fields(FieldList& f);
};

// Which mask a dropout draws: a function of stream key, step and logical coordinates
// (docs/random.md), never of packing.
struct DropoutOptions {
  double p = 0.0;
  std::uint64_t key = 0;
  Index step = 0;
  // p under the name that it has among its neighbours, and step; the key is never written out.
  void fields(FieldList& f, std::string_view p_name = "p",
              std::string_view p_doc = "probability of dropping");
};

// score (+ bias) → pattern → select → normaliser → value, as kernels/attention.h has it.
struct AttentionOptions {
  Index n_heads = 1;
  Index n_kv_heads = 0;           // 0: n_heads
  kernels::Score score = {};      // scaled_dot
  std::optional<double> scale;    // null: auto, 1/sqrt(d_k) for scaled_dot, else 1
  kernels::Bias bias = {};        // none; given, where the input bias is
  AttentionPattern pattern = {};  // full
  Index window = 0;
  Index dilation = 1;
  Index block = 1;
  kernels::Select select = {};  // all
  Index k = 1;
  kernels::Normaliser normaliser = {};  // softmax
  double temperature = 1.0;
  DropoutOptions dropout;
  void fields(FieldList& f);
  // As the kernel takes them, for heads of these widths.
  kernels::AttentionOptions kernel(Index d_k, Index d_v) const;
};

// Attention over edges, as kernels/graph_attention.h has it.
struct GraphAttentionOptions {
  Index n_heads = 1;
  kernels::EdgeScore variant = kernels::EdgeScore::gat;
  double slope = 0.2;  // of LeakyReLU below 0
  DropoutOptions dropout = {};
  void fields(FieldList& f);
};

struct GraphAggregateOptions {
  kernels::GraphReduce reduce = kernels::GraphReduce::sum;
  void fields(FieldList& f);
};

struct HeadNormOptions {
  Index n_heads = 1;
  kernels::HeadNorm kind = kernels::HeadNorm::rms;
  double eps = 1e-5;
  void fields(FieldList& f);
};

struct LinearAttentionOptions {
  Index n_heads = 1;
  Index n_kv_heads = 0;  // 0: n_heads
  bool causal = false;
  void fields(FieldList& f);
};

struct PerformerOptions {
  kernels::FeatureShift shift = kernels::FeatureShift::row;
  void fields(FieldList& f);
};

struct RepeatOptions {
  Index times = 1;
  void fields(FieldList& f);
};

struct MeanHeadsOptions {
  Index n_heads = 1;
  void fields(FieldList& f);
};

struct SinusoidalOptions {
  Index period = 0;  // 0: none
  void fields(FieldList& f);
};

struct GruOptions {
  bool reverse = false;  // each sequence is read from its last row on
  void fields(FieldList& f);
};

struct CrossEntropyOptions {
  double label_smoothing = 0.0;
  Index ignore_index = -100;
  void fields(FieldList& f);
};

struct RopeOptions {
  Index n_heads = 1;
  double base = 10000;
  void fields(FieldList& f);
};

struct PositionOptions {
  bool cls = false;         // each example begins with one row that has no position
  bool fractional = false;  // tables are read at the share of the grid's side
  void fields(FieldList& f);
};

extern const Op linear_op, feed_forward_op, add_bias_op, add_op, relu_op, silu_op, gelu_op, elu_op,
    elu_plus_one_op, tanh_op, layer_norm_op, rms_norm_op, softmax_op, sparsemax_op, entmax15_op,
    embedding_op;
extern const Op attention_op, head_norm_op, scale_heads_op, repeat_columns_op, linear_attention_op,
    performer_features_op, project_rows_op, rope_op, position_2d_op, position_1d_op, sinusoidal_op;
extern const Op cross_entropy_op, mse_op, binary_cross_entropy_op, dropout_op, dropout_residual_op;
extern const Op mean_pool_op, sum_pool_op, first_row_op, attention_pool_op, insert_cls_op,
    repeat_rows_op, concat_rows_op, concat_columns_op, mean_heads_op;
extern const Op gru_op;
extern const Op sparse_linear_op, sparse_dropout_op;
extern const Op graph_attention_op, edge_attention_op, graph_aggregate_op;

// Logical coordinates of packed rows, which key dropout masks: [n] each.
struct RowCoordinates {
  View<const std::int32_t> example, token;
};

template <class Real>
Var linear(Tape<Real>& t, Var x, Var weight, Var bias = {}) {
  return t.apply(linear_op, {x, weight, bias});
}
// x + bias in every row.
template <class Real>
Var add_bias(Tape<Real>& t, Var x, Var bias) {
  return t.apply(add_bias_op, {x, bias});
}
// X Wᵀ + b, and dropout, of sparse rows.
template <class Real>
Var sparse_linear(Tape<Real>& t, Var values, const SparseRows& rows, Var weight, Var bias = {}) {
  return t.apply(sparse_linear_op, {values, weight, bias}, {rows.indptr, rows.indices});
}
template <class Real>
Var sparse_dropout(Tape<Real>& t, Var values, const SparseRows& rows,
                   const RowCoordinates& coordinates, const DropoutOptions& options) {
  return t.apply(sparse_dropout_op, {values},
                 {rows.indptr, rows.indices, coordinates.example, coordinates.token}, options);
}
template <class Real>
Var add(Tape<Real>& t, Var a, Var b) {
  return t.apply(add_op, {a, b});
}
template <class Real>
Var gelu(Tape<Real>& t, Var x, const GeluOptions& options = {}) {
  return t.apply(gelu_op, {x}, {}, options);
}
// gelu(x W1ᵀ + b1) W2ᵀ + b2, as one op.
struct FeedForwardVars {
  Var w1, b1, w2, b2;
};
template <class Real>
Var feed_forward(Tape<Real>& t, Var x, const FeedForwardVars& w, const GeluOptions& options = {}) {
  return t.apply(feed_forward_op, {x, w.w1, w.b1, w.w2, w.b2}, {}, options);
}
template <class Real>
Var tanh(Tape<Real>& t, Var x) {
  return t.apply(tanh_op, {x});
}
template <class Real>
Var layer_norm(Tape<Real>& t, Var x, Var gain, Var bias, const NormOptions& options = {}) {
  return t.apply(layer_norm_op, {x, gain, bias}, {}, options);
}
template <class Real>
Var rms_norm(Tape<Real>& t, Var x, Var gain, const NormOptions& options = {}) {
  return t.apply(rms_norm_op, {x, gain}, {}, options);
}
template <class Real>
Var dropout(Tape<Real>& t, Var x, const RowCoordinates& rows, const DropoutOptions& options) {
  return t.apply(dropout_op, {x}, {rows.example, rows.token}, options);
}
// x + dropout(branch)
template <class Real>
Var dropout_residual(Tape<Real>& t, Var x, Var branch, const RowCoordinates& rows,
                     const DropoutOptions& options) {
  return t.apply(dropout_residual_op, {x, branch}, {rows.example, rows.token}, options);
}
// Self-attention when q and k are rows of the same examples.
template <class Real>
Var attention(Tape<Real>& t, Var q, Var k, Var v, View<const std::int32_t> q_offsets,
              View<const std::int32_t> k_offsets, View<const std::int32_t> example,
              const AttentionOptions& options) {
  return t.apply(attention_op, {q, k, v}, {q_offsets, k_offsets, example}, options);
}
// What some scores and biases learn; absent where the options don't ask for it.
struct AttentionVars {
  Var bias = {}, w = {}, table = {}, gain = {};
};
template <class Real>
Var attention(Tape<Real>& t, Var q, Var k, Var v, const AttentionVars& learned,
              const kernels::AttentionRows& rows, const AttentionOptions& options,
              View<const std::int32_t> widths = {}) {
  return t.apply(attention_op, {q, k, v, learned.bias, learned.w, learned.table, learned.gain},
                 {rows.q_offsets, rows.k_offsets, rows.example, rows.indptr, rows.indices,
                  rows.q_positions, rows.k_positions, widths},
                 options);
}
// The weights of attention() and of linear_attention(), to be looked at
// (kernels/attention_weights.h).
template <class Real>
void attention_weights(const Tape<Real>& t, Var q, Var k, const AttentionVars& learned,
                       const kernels::AttentionRows& rows, const AttentionOptions& options,
                       View<const std::int32_t> widths, const kernels::WeightReader<Real>& read);
template <class Real>
void linear_attention_weights(const Tape<Real>& t, Var q, Var k, View<const std::int32_t> q_offsets,
                              View<const std::int32_t> k_offsets,
                              const LinearAttentionOptions& options,
                              const kernels::WeightReader<Real>& read);
// Attention of nodes to those that send to them, of features z; att_dst is for gat, z_dst for
// gatv2, where z stands for it if absent; bias [n_heads · d], or absent, is added. Without dropout
// `pack` may be absent.
struct EdgeAttentionVars {
  Var z, att_src, att_dst = {}, z_dst = {}, bias = {};
};
template <class Real>
Var edge_attention(Tape<Real>& t, const EdgeAttentionVars& v, const PackedRows& pack,
                   const PackedEdges& edges, const GraphAttentionOptions& options) {
  return t.apply(edge_attention_op, {v.z, v.att_src, v.att_dst, v.z_dst, v.bias},
                 {pack.offsets, pack.example, edges.indptr, edges.indices}, options);
}
// The same of z = x weightᵀ, and for gatv2 of z_dst = x weight_dstᵀ where that is given.
struct GraphAttentionVars {
  Var x, weight, att_src, att_dst = {}, weight_dst = {};
};
template <class Real>
Var graph_attention(Tape<Real>& t, const GraphAttentionVars& v, const PackedRows& pack,
                    const PackedEdges& edges, const GraphAttentionOptions& options) {
  return t.apply(graph_attention_op, {v.x, v.weight, v.att_src, v.att_dst, v.weight_dst},
                 {pack.offsets, pack.example, edges.indptr, edges.indices}, options);
}
// What the nodes that send to a node have, summed, averaged, or weighted by degrees.
template <class Real>
Var graph_aggregate(Tape<Real>& t, Var x, const PackedEdges& edges, kernels::GraphReduce reduce) {
  return t.apply(graph_aggregate_op, {x}, {edges.indptr, edges.indices},
                 GraphAggregateOptions{reduce});
}
// Each head of x normalised by itself; gain [columns] may be absent.
template <class Real>
Var head_norm(Tape<Real>& t, Var x, Var gain, View<const std::int32_t> widths,
              const HeadNormOptions& options) {
  return t.apply(head_norm_op, {x, gain}, {widths}, options);
}
// Each head of x times its gain.
template <class Real>
Var scale_heads(Tape<Real>& t, Var x, Var gain, View<const std::int32_t> widths = {}) {
  return t.apply(scale_heads_op, {x, gain}, {widths});
}
// y = x, `times` times side by side.
template <class Real>
Var repeat_columns(Tape<Real>& t, Var x, Index times) {
  return t.apply(repeat_columns_op, {x}, {}, RepeatOptions{times});
}
// [a, b], side by side.
template <class Real>
Var concat_columns(Tape<Real>& t, Var a, Var b) {
  return t.apply(concat_columns_op, {a, b});
}
// The mean of the heads of each row.
template <class Real>
Var mean_heads(Tape<Real>& t, Var x, Index n_heads) {
  return t.apply(mean_heads_op, {x}, {}, MeanHeadsOptions{n_heads});
}
template <class Real>
Var elu(Tape<Real>& t, Var x) {
  return t.apply(elu_op, {x});
}
template <class Real>
Var elu_plus_one(Tape<Real>& t, Var x) {
  return t.apply(elu_plus_one_op, {x});
}
// Of features q, k ≥ 0.
template <class Real>
Var linear_attention(Tape<Real>& t, Var q, Var k, Var v, View<const std::int32_t> q_offsets,
                     View<const std::int32_t> k_offsets, const LinearAttentionOptions& options) {
  return t.apply(linear_attention_op, {q, k, v}, {q_offsets, k_offsets}, options);
}
template <class Real>
Var performer_features(Tape<Real>& t, Var x, Var directions, View<const std::int32_t> offsets,
                       kernels::FeatureShift shift) {
  return t.apply(performer_features_op, {x, directions}, {offsets}, PerformerOptions{shift});
}
// The rows of each sequence mixed to as many as weight has.
template <class Real>
Var project_rows(Tape<Real>& t, Var x, Var weight, View<const std::int32_t> offsets) {
  return t.apply(project_rows_op, {x, weight}, {offsets});
}
// What a GRU learns; h0 may be absent.
struct GruVars {
  Var w_ih, w_hh, b_ih, b_hh;
};
// The state behind each row; output(y, 1) is that behind each sequence.
template <class Real>
Var gru(Tape<Real>& t, Var x, const GruVars& learned, Var h0, View<const std::int32_t> offsets,
        const GruOptions& options = {}) {
  return t.apply(gru_op, {x, learned.w_ih, learned.w_hh, learned.b_ih, learned.b_hh, h0}, {offsets},
                 options);
}
// The rows of all parts, one part behind the other; one part is itself.
template <class Real>
Var concat_rows(Tape<Real>& t, std::span<const Var> parts);
// Rows of a table, or of any node: gathers.
template <class Real>
Var embedding(Tape<Real>& t, Var table, View<const std::int32_t> ids) {
  return t.apply(embedding_op, {table}, {ids});
}
template <class Real>
Var mean_pool(Tape<Real>& t, Var x, View<const std::int32_t> offsets) {
  return t.apply(mean_pool_op, {x}, {offsets});
}
template <class Real>
Var sum_pool(Tape<Real>& t, Var x, View<const std::int32_t> offsets) {
  return t.apply(sum_pool_op, {x}, {offsets});
}
// Row e of x for every row of example e.
template <class Real>
Var repeat_rows(Tape<Real>& t, Var x, View<const std::int32_t> offsets) {
  return t.apply(repeat_rows_op, {x}, {offsets});
}
template <class Real>
Var first_row(Tape<Real>& t, Var x, View<const std::int32_t> offsets) {
  return t.apply(first_row_op, {x}, {offsets});
}
template <class Real>
Var attention_pool(Tape<Real>& t, Var x, Var scores, View<const std::int32_t> offsets) {
  return t.apply(attention_pool_op, {x, scores}, {offsets});
}
template <class Real>
Var insert_cls(Tape<Real>& t, Var x, Var cls, View<const std::int32_t> offsets) {
  return t.apply(insert_cls_op, {x, cls}, {offsets});
}
template <class Real>
Var position_2d(Tape<Real>& t, Var x, Var rows, Var columns, const PackedRows& packed, bool cls,
                bool fractional = false) {
  return t.apply(position_2d_op, {x, rows, columns}, {packed.offsets, packed.grid},
                 PositionOptions{cls, fractional});
}
template <class Real>
Var position_1d(Tape<Real>& t, Var x, Var table, View<const std::int32_t> offsets) {
  return t.apply(position_1d_op, {x, table}, {offsets});
}
// Places repeat after `period` where it is not 0.
template <class Real>
Var sinusoidal(Tape<Real>& t, Var x, View<const std::int32_t> offsets, Index period) {
  return t.apply(sinusoidal_op, {x}, {offsets}, SinusoidalOptions{period});
}
template <class Real>
Var rope(Tape<Real>& t, Var x, View<const std::int32_t> positions, const RopeOptions& options) {
  return t.apply(rope_op, {x}, {positions}, options);
}
template <class Real>
Var mse(Tape<Real>& t, Var pred, Var target) {
  return t.apply(mse_op, {pred, target});
}
template <class Real>
Var binary_cross_entropy(Tape<Real>& t, Var logits, Var targets) {
  return t.apply(binary_cross_entropy_op, {logits, targets});
}
template <class Real>
Var cross_entropy(Tape<Real>& t, Var logits, View<const std::int32_t> targets,
                  const CrossEntropyOptions& options = {}) {
  return t.apply(cross_entropy_op, {logits}, {targets}, options);
}

}  // namespace attune
