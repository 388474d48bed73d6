// Ops on the edges of graphs: attention, and sums of neighbours.
#include "autograd/absent.h"
#include "autograd/drawing_options.h"
#include "autograd/op_checks.h"
#include "autograd/ops.h"
#include "kernels/graph_aggregate.h"
#include "kernels/graph_attention.h"
#include "kernels/linear.h"

namespace attune {
namespace {

// Among the index arrays of both kinds of attention.
constexpr std::size_t kOffsets = 0, kExample = 1, kIndptr = 2, kIndices = 3;

template <class Real>
kernels::EdgeAttentionOptions kernel_options(const OpCall<Real>& c) {
  const auto& o = c.template as<GraphAttentionOptions>();
  return {o.n_heads,
          o.variant,
          o.slope,
          {o.dropout.p, o.dropout.key, static_cast<std::uint32_t>(o.dropout.step)}};
}
template <class Real>
PackedRows pack_of(const OpCall<Real>& c) {
  return {c.index[kOffsets], c.index[kExample], {}};
}
template <class Real>
PackedEdges edges_of(const OpCall<Real>& c) {
  return {c.index[kIndptr], c.index[kIndices]};
}

// Columns must be those of n_heads heads.
template <class Real>
void check_columns(const OpCall<Real>& c, const Op& op, std::string_view name, Index columns) {
  const Index h = c.template as<GraphAttentionOptions>().n_heads;
  ATTUNE_CHECK(h >= 1 && columns % h == 0, ShapeError,
               "[{}] {} has {}, which n_heads={} does not divide", op.name, name, columns, h);
}

// A saved array, or scratch where no backward will come.
template <class Real>
View<Real> kept(const OpCall<Real>& c, std::size_t i, const Shape& shape, Scratch& scratch) {
  return c.training ? c.saved[i] : scratch.view<Real>(shape);
}
template <class Real>
View<Real> zeros(const Shape& shape, Scratch& scratch) {
  const auto view = scratch.view<Real>(shape);
  std::fill(view.begin(), view.end(), Real(0));
  return view;
}

constexpr std::size_t kBias = 4;  // among the inputs of edge_attention

template <class Real>
void edge_shapes(const OpCall<Real>& c, OpShapes& s) {
  const Shape z = rank_of(c, edge_attention_op, 0, 2);
  check_columns(c, edge_attention_op, "a row of z", z[1]);
  s.out[0] = z;
  s.save({index_size(c, edge_attention_op, kIndices),
          c.template as<GraphAttentionOptions>().n_heads});  // weights
}
template <class Real>
kernels::EdgeOperands<const Real> edge_operands(const OpCall<Real>& c) {
  return {c.in[0], c.in[1], c.in[2], c.in[3], c.in[kBias]};
}
template <class Real>
void edge_forward(OpCall<Real>& c) {
  Scratch scratch;
  const Shape weights{c.index[kIndices].size(), kernel_options(c).n_heads};
  kernels::edge_attention<Real>(kernel_options(c), pack_of(c), edges_of(c), edge_operands(c),
                                kept(c, 0, weights, scratch), c.out[0]);
}
template <class Real>
void edge_backward(OpCall<Real>& c) {
  c.zero_fresh(1);
  if (c.grad_in[kBias]) kernels::linear_backward_bias<Real>(c.grad_out[0], c.grad_in[kBias]);
  kernels::edge_attention_backward<Real>(
      kernel_options(c), pack_of(c), edges_of(c), c.grad_out[0], edge_operands(c), c.saved[0],
      {c.grad_in[0], c.grad_in[1], c.grad_in[2], c.grad_in[3]}, c.fresh[0]);
}

constexpr std::size_t kWeightDst = 4;  // among the inputs of graph_attention

template <class Real>
void graph_shapes(const OpCall<Real>& c, OpShapes& s) {
  const Shape x = rank_of(c, graph_attention_op, 0, 2), w = rank_of(c, graph_attention_op, 1, 2);
  ATTUNE_CHECK(x[1] == w[1], ShapeError,
               "[graph_attention] x {} has {} columns, weight {} takes {}: weight is [h·d, d_in]",
               x.text(), x[1], w.text(), w[1]);
  check_columns(c, graph_attention_op, "a column of weight", w[0]);
  if (c.in[kWeightDst]) same_shape(c, graph_attention_op, kWeightDst, w);
  s.out[0] = {x[0], w[0]};
  s.save({index_size(c, graph_attention_op, kIndices),
          c.template as<GraphAttentionOptions>().n_heads});  // weights
  s.save(s.out[0]);                                          // z
  if (c.in[kWeightDst]) s.save(s.out[0]);                    // z_dst
}
template <class Real>
kernels::EdgeOperands<const Real> graph_operands(const OpCall<Real>& c, View<const Real> z,
                                                 View<const Real> z_dst) {
  return {z, c.in[2], c.in[3], z_dst};
}
template <class Real>
void graph_forward(OpCall<Real>& c) {
  Scratch scratch;
  const Shape columns = c.out[0].shape();
  const Shape weights{c.index[kIndices].size(), kernel_options(c).n_heads};
  const View<Real> z = kept(c, 1, columns, scratch);
  const View<Real> z_dst = c.in[kWeightDst] ? kept(c, 2, columns, scratch) : View<Real>();
  kernels::linear<Real>(c.in[0], c.in[1], {}, z);
  if (z_dst) kernels::linear<Real>(c.in[0], c.in[kWeightDst], {}, z_dst);
  kernels::edge_attention<Real>(kernel_options(c), pack_of(c), edges_of(c),
                                graph_operands<Real>(c, z, z_dst), kept(c, 0, weights, scratch),
                                c.out[0]);
}

// Through z = x Wᵀ.
template <class Real>
void linear_backward(OpCall<Real>& c, std::size_t weight, View<const Real> dz) {
  if (c.grad_in[0]) kernels::linear_backward_input<Real>(dz, c.in[weight], c.grad_in[0]);
  if (c.grad_in[weight]) kernels::linear_backward_weight<Real>(dz, c.in[0], c.grad_in[weight]);
}
template <class Real>
void graph_backward(OpCall<Real>& c) {
  Scratch scratch;
  const bool apart = bool(c.in[kWeightDst]);
  const Shape columns = c.out[0].shape();
  const View<Real> dz = zeros<Real>(columns, scratch);
  const View<Real> dz_dst = apart ? zeros<Real>(columns, scratch) : View<Real>();
  kernels::edge_attention_backward<Real>(
      kernel_options(c), pack_of(c), edges_of(c), c.grad_out[0],
      graph_operands<Real>(c, c.saved[1], apart ? c.saved[2] : View<Real>()), c.saved[0],
      {dz, c.grad_in[2], c.grad_in[3], dz_dst});
  linear_backward<Real>(c, 1, dz);
  if (apart) linear_backward<Real>(c, kWeightDst, dz_dst);
}

template <class Real>
void aggregate_shapes(const OpCall<Real>& c, OpShapes& s) {
  s.out[0] = rank_of(c, graph_aggregate_op, 0, 2);
}
template <class Real>
void aggregate_forward(OpCall<Real>& c) {
  kernels::graph_aggregate<Real>(c.template as<GraphAggregateOptions>().reduce,
                                 {c.index[0], c.index[1]}, c.in[0], c.out[0]);
}
template <class Real>
void aggregate_backward(OpCall<Real>& c) {
  kernels::graph_aggregate_backward<Real>(c.template as<GraphAggregateOptions>().reduce,
                                          {c.index[0], c.index[1]}, c.grad_out[0], c.grad_in[0]);
}

}  // namespace

void GraphAttentionOptions::fields(FieldList& f) {
  f.integer("n_heads", n_heads, {1, 4096}, Role::result, "heads of a node");
  f.choice("variant", variant,
           {{"gat", kernels::EdgeScore::gat}, {"gatv2", kernels::EdgeScore::gatv2}}, Role::result,
           "gat: att_src · z_j + att_dst · z_i through LeakyReLU; gatv2: att_src · LeakyReLU(z_j + "
           "z_i), which does not read att_dst");
  f.real("slope", slope, {-10, 10}, Role::result, "of LeakyReLU below 0");
  dropout.fields(f, "dropout", "probability of dropping an attention weight");
}

void GraphAggregateOptions::fields(FieldList& f) {
  f.choice("reduce", reduce,
           {{"sum", kernels::GraphReduce::sum},
            {"mean", kernels::GraphReduce::mean},
            {"symmetric", kernels::GraphReduce::symmetric}},
           Role::result,
           "weights of edges: 1; 1/deg_i; 1/sqrt(deg_i deg_j), 0 where no edge goes into j");
}

const Op edge_attention_op{
    .name = "edge_attention",
    .maths =
        "y_i = bias + Σ_j softmax_j(e_ij) z_j over the edges from j into i, by head; gat: e_ij = "
        "LeakyReLU(att_src · z_j + att_dst · z_i); gatv2: e_ij = att_src · LeakyReLU(z_j + "
        "z_dst_i)",
    .inputs = {{"z", "[n, n_heads·d]"},
               {"att_src", "[n_heads, d]"},
               {"att_dst", "[n_heads, d]", true},
               {"z_dst", "[n, n_heads·d]", true},
               {"bias", "[n_heads·d]", true}},
    .indices = {{"offsets", "[B+1]", true, &absent::one_sequence},
                {"example", "[B]", true, &absent::numbered_sequences},
                {"indptr", "[n+1]"},
                {"indices", "[m]"}},
    .outputs = {{"y", "[n, n_heads·d]"}},
    .options = make_drawing_options<GraphAttentionOptions>,
    .f32 = {.shapes = edge_shapes<float>,
            .forward = edge_forward<float>,
            .backward = edge_backward<float>,
            .begins_gradients = true},
    .f64 = {.shapes = edge_shapes<double>,
            .forward = edge_forward<double>,
            .backward = edge_backward<double>,
            .begins_gradients = true},
};

const Op graph_attention_op{
    .name = "graph_attention",
    .maths = "edge_attention of z = x Wᵀ, for gatv2 with z_dst = x weight_dstᵀ where that is given",
    .inputs = {{"x", "[n, d_in]"},
               {"weight", "[n_heads·d, d_in]"},
               {"att_src", "[n_heads, d]"},
               {"att_dst", "[n_heads, d]", true},
               {"weight_dst", "[n_heads·d, d_in]", true}},
    .indices = {{"offsets", "[B+1]", true, &absent::one_sequence},
                {"example", "[B]", true, &absent::numbered_sequences},
                {"indptr", "[n+1]"},
                {"indices", "[m]"}},
    .outputs = {{"y", "[n, n_heads·d]"}},
    .options = make_drawing_options<GraphAttentionOptions>,
    .f32 = {graph_shapes<float>, graph_forward<float>, graph_backward<float>},
    .f64 = {graph_shapes<double>, graph_forward<double>, graph_backward<double>},
};

const Op graph_aggregate_op{
    .name = "graph_aggregate",
    .maths = "y_i = Σ_j w_ij x_j over the edges from j into i",
    .inputs = {{"x", "[n, d]"}},
    .indices = {{"indptr", "[n+1]"}, {"indices", "[m]"}},
    .outputs = {{"y", "[n, d]"}},
    .options = make_options<GraphAggregateOptions>,
    .f32 = {aggregate_shapes<float>, aggregate_forward<float>, aggregate_backward<float>},
    .f64 = {aggregate_shapes<double>, aggregate_forward<double>, aggregate_backward<double>},
};

}  // namespace attune
