#include "nn/graph_layer.h"

namespace attune {
namespace {

using Kind = GraphLayerOptions::Kind;

// Of the parameters: the kinds with heads share it.
std::string path_of(Kind kind, Index i) {
  const char* name = kind == Kind::gcn ? "gcn" : kind == Kind::gin ? "gin" : "gat";
  return name + std::to_string(i);
}

// Wx of the rows.
template <class Real>
Var mapped(const Pass<Real>& pass, const Features& x, ParameterId weight) {
  if (x.sparse) return sparse_linear(pass.tape, x.values, x.sparse, pass[weight]);
  return linear(pass.tape, x.values, pass[weight]);
}

}  // namespace

void GraphLayerOptions::fields(FieldList& f) {
  f.choice("layer", kind,
           {{"gat", Kind::gat},
            {"gatv2", Kind::gatv2},
            {"constant", Kind::constant},
            {"gcn", Kind::gcn},
            {"gin", Kind::gin}},
           Role::result, "what a node makes of its neighbours");
  f.integer("n_heads", n_heads, {1, 512}, Role::result, "attention heads of hidden layers");
  f.integer("d_head", d_head, {1, 4096}, Role::result,
            "columns of a head; hidden layers of any kind have n_heads times as many");
  f.real("slope", slope, {0.0, 1.0}, Role::result, "of LeakyReLU below zero, by gat and gatv2");
  f.boolean("self_loops", self_loops, Role::result,
            "each node is its own neighbour, once; gin sees itself anyway");
  f.choice("activation", activation, {{"elu", Activation::elu}, {"relu", Activation::relu}},
           Role::result, "of hidden layers");
  f.real("dropout", dropout, {0.0, 0.99}, Role::result,
         "share dropped of the features that enter a layer, in training");
  f.real("attention_dropout", attention_dropout, {0.0, 0.99}, Role::result,
         "share dropped of the attention weights of gat and gatv2, in training");
  f.boolean("norm", norm, Role::result, "LayerNorm of what leaves a hidden layer");
  f.rule([this]() -> std::optional<Complaint> {
    if (attention_dropout == 0 || kind == Kind::gat || kind == Kind::gatv2) return std::nullopt;
    return Complaint{
        "attention_dropout",
        fmt::format("attention_dropout={} is of layers with attention weights", attention_dropout),
        "leave it out, or set model.layer to gat or gatv2",
        {"layer"}};
  });
}

GraphLayer::GraphLayer(Registry& r, Index i, const GraphLayerOptions& o, Index d_in)
    : GraphLayer(r, i, o, d_in, o.n_heads, o.d_head, true) {}

GraphLayer::GraphLayer(Registry& r, Index i, const GraphLayerOptions& o, Index d_in, Index n_heads,
                       Index d)
    : GraphLayer(r, i, o, d_in, n_heads, d, false) {}

GraphLayer::GraphLayer(Registry& r, Index i, const GraphLayerOptions& o, Index d_in, Index n_heads,
                       Index d, bool hidden)
    : options_(&o), n_heads_(n_heads), hidden_(hidden) {
  const std::string path = path_of(o.kind, i);
  const Initialiser glorot = Initialiser::xavier_uniform();
  features_ = r.stream(path + ".dropout");
  const Index width = n_heads * d;
  if (o.kind == Kind::gin) {
    self_ = r.parameter(path + ".self", {1}, Initialiser::ones(), Decay::no);
    const Index inner = o.width();
    weight_ = r.parameter(path + ".w1", {inner, d_in}, r.weights(), Decay::yes);
    bias_ = r.parameter(path + ".b1", {inner}, Initialiser::zeros(), Decay::no);
    second_ = Linear(r, path + ".w2", path + ".b2", inner, hidden ? width : d);
  } else if (o.kind == Kind::gcn) {
    const Index columns = hidden ? width : d;
    weight_ = r.parameter(path + ".weight", {columns, d_in}, r.weights(), Decay::yes);
    bias_ = r.parameter(path + ".bias", {columns}, Initialiser::zeros(), Decay::no);
  } else {
    weight_ = r.parameter(path + ".weight", {width, d_in}, r.weights(), Decay::yes);
    bias_ = r.parameter(path + ".bias", {hidden ? width : d}, Initialiser::zeros(), Decay::no);
    attention_ = r.stream(path + ".attention.dropout");
    const auto heads = [&](const char* name) {
      return r.parameter(path + name, {n_heads, d}, glorot, Decay::yes);
    };
    if (o.kind != Kind::constant) att_src_ = heads(".att_src");
    if (o.kind == Kind::gat) att_dst_ = heads(".att_dst");
    if (o.kind == Kind::gatv2)
      weight_dst_ = r.parameter(path + ".weight_dst", {width, d_in}, r.weights(), Decay::yes);
  }
  if (hidden && o.norm) norm_ = Norm(r, path + ".norm", width, NormKind::layer);
}

template <class Real>
Var GraphLayer::attended(const Pass<Real>& pass, const Features& x,
                         const PackedEdges& edges) const {
  Tape<Real>& t = pass.tape;
  const Var z = mapped(pass, x, weight_);
  const bool averages = !hidden_ && n_heads_ > 1;
  Var y;
  if (options_->kind == Kind::constant) {
    y = graph_aggregate(t, z, edges, kernels::GraphReduce::mean);
  } else {
    GraphAttentionOptions o;
    o.n_heads = n_heads_;
    o.slope = options_->slope;
    o.dropout = pass.dropout(attention_, options_->attention_dropout);
    EdgeAttentionVars vars{z, pass[att_src_]};
    if (options_->kind == Kind::gatv2) {
      o.variant = kernels::EdgeScore::gatv2;
      vars.z_dst = mapped(pass, x, weight_dst_);
    } else {
      vars.att_dst = pass[att_dst_];
    }
    if (!averages) vars.bias = pass[bias_];
    y = edge_attention(t, vars, pass.rows, edges, o);
    if (vars.bias) return y;
  }
  if (averages) y = mean_heads(t, y, n_heads_);
  return add_bias(t, y, pass[bias_]);
}

template <class Real>
Var GraphLayer::messages(const Pass<Real>& pass, const Features& x,
                         const PackedEdges& edges) const {
  Tape<Real>& t = pass.tape;
  if (options_->kind == Kind::gcn)
    return add_bias(
        t, graph_aggregate(t, mapped(pass, x, weight_), edges, kernels::GraphReduce::symmetric),
        pass[bias_]);
  if (options_->kind != Kind::gin) return attended(pass, x, edges);
  // The mlp's first map is linear, so that it may come before the sum: W(s x_i + Σ x_j).
  const Var z = mapped(pass, x, weight_);
  const Var sum = add(t, scale_heads(t, z, pass[self_]),
                      graph_aggregate(t, z, edges, kernels::GraphReduce::sum));
  return second_(pass, t.apply(relu_op, {add_bias(t, sum, pass[bias_])}));
}

template <class Real>
Var GraphLayer::operator()(const Pass<Real>& pass, const Features& x,
                           const PackedEdges& edges) const {
  Tape<Real>& t = pass.tape;
  const DropoutOptions drop = pass.dropout(features_, options_->dropout);
  Features kept = x;
  if (drop.p > 0)
    kept.values = x.sparse ? sparse_dropout(t, x.values, x.sparse, pass.coordinates, drop)
                           : dropout(t, x.values, pass.coordinates, drop);
  Var y = messages(pass, kept, edges);
  if (!hidden_) return y;
  if (options_->norm) y = norm_(pass, y);
  return options_->activation == GraphLayerOptions::Activation::elu ? elu(t, y)
                                                                    : t.apply(relu_op, {y});
}

template Var GraphLayer::operator()(const Pass<float>&, const Features&, const PackedEdges&) const;
template Var GraphLayer::operator()(const Pass<double>&, const Features&, const PackedEdges&) const;

}  // namespace attune
