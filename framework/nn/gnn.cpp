#include "nn/gnn.h"

#include "nn/edges.h"

namespace attune {

void GnnOptions::fields(FieldList& f) {
  layers.fields(f);
  f.integer("n_layers", n_layers, {1, 256}, Role::result, "layers of messages");
  f.integer("d_embed", d_embed, {1, 4096}, Role::result,
            "columns that a linear map makes of the features first; null: there is none");
  f.choice("head", head, {{"layer", Head::layer}, {"linear", Head::linear}}, Role::result,
           "what answers of nodes: the last layer, or a linear map of it");
  f.integer("output_heads", output_heads, {1, 512}, Role::result,
            "heads of a last layer that answers; their mean counts");
  f.choice("pool", pool, {{"mean", Pool::mean}, {"sum", Pool::sum}}, Role::result,
           "how the nodes of a graph become one row, where graphs have targets");
  f.group("init", init, "how weights begin");
}

std::optional<Complaint> GnnOptions::misfit(const RowSpec& spec) const {
  if (const auto asked = reads_no_queries(spec)) return asked;
  if (!spec.edges)
    return Complaint{
        "kind", "reads graphs, and this data has no edges", "set model.kind=encoder or mlp", {}};
  if (spec.kind == RowSpec::Kind::tokens && !d_embed)
    return Complaint{"d_embed",
                     "needs numbers in its nodes, and these are tokens",
                     "set model.d_embed, such as 64",
                     {}};
  return std::nullopt;
}

std::unique_ptr<Model> GnnOptions::make(Registry& r, const RowSpec& spec) const {
  r.set_weights(init.weights(), init.residual(n_layers));
  return std::make_unique<Gnn>(r, *this, spec);
}

Gnn::Gnn(Registry& r, const GnnOptions& o, const RowSpec& spec)
    : options_(o),
      embeds_(o.d_embed.has_value()),
      answers_by_layer_(spec.row_targets && o.head == GnnOptions::Head::layer),
      row_targets_(spec.row_targets) {
  if (embeds_) embed_ = InputRows(r, "", spec, *o.d_embed);
  Index width = embeds_ ? *o.d_embed : spec.width;
  for (Index i = 0; i < o.n_layers; ++i) {
    if (answers_by_layer_ && i + 1 == o.n_layers) {
      layers_.emplace_back(r, i, o.layers, width, o.output_heads, spec.n_classes);
    } else {
      layers_.emplace_back(r, i, o.layers, width);
      width = o.layers.width();
    }
  }
  if (!answers_by_layer_) head_ = Linear(r, "head.weight", "head.bias", width, spec.n_classes);
}

template <class Real>
Var Gnn::forward(const Pass<Real>& pass, const ModelInput& input) const {
  Tape<Real>& t = pass.tape;
  const PackedEdges edges =
      GraphLayer::loops(options_.layers) ? with_self_loops(input.edges, t.arena()) : input.edges;
  Features x{input.values, input.sparse};
  if (embeds_) x = {embed_(pass, input)};
  for (const GraphLayer& layer : layers_) x = {layer(pass, x, edges)};
  if (answers_by_layer_) return x.values;
  if (row_targets_) return head_(pass, x.values);
  const Var pooled = options_.pool == GnnOptions::Pool::sum
                         ? sum_pool(t, x.values, pass.rows.offsets)
                         : mean_pool(t, x.values, pass.rows.offsets);
  return head_(pass, pooled);
}

template Var Gnn::forward<float>(const Pass<float>&, const ModelInput&) const;
template Var Gnn::forward<double>(const Pass<double>&, const ModelInput&) const;

}  // namespace attune
