#include "nn/esa.h"

#include <algorithm>

#include "kernels/attention/parts.h"
#include "nn/edges.h"

namespace attune {
namespace {

// The blocks that letters M and S name.
std::vector<AttentionSpec> blocks_of(const AttentionSpec& attention, const std::string& letters) {
  std::vector<AttentionSpec> blocks;
  for (const char letter : letters) {
    AttentionSpec& block = blocks.emplace_back(attention);
    if (letter == 'M') block.pattern = AttentionPattern::edges;
  }
  return blocks;
}

std::string wrong_layers(const std::string& layers) {
  const auto pool = layers.find('P');
  if (layers.empty() || layers.find_first_not_of("MSP") != std::string::npos)
    return "has other letters than M, S and P";
  if (pool == std::string::npos) return "";
  if (layers.find('P', pool + 1) != std::string::npos) return "pools twice";
  if (layers.find('M', pool) != std::string::npos)
    return "has M behind P, where there are seeds and no edges";
  return "";
}

}  // namespace

void EsaOptions::fields(FieldList& f) {
  EncoderOptions::fields(f);
  f.forget("n_layers");
  f.text("layers", layers, Role::result,
         "a letter a layer: M masked by edges, S among all rows, P pooling by attention");
  f.choice("tokens", tokens, {{"edges", Tokens::edges}, {"nodes", Tokens::nodes}}, Role::result,
           "what the rows are");
  f.integer("n_seeds", n_seeds, {1, 4096}, Role::result, "rows that P makes of a graph");
  f.group("init", init, "how weights begin");
  f.rule([this]() -> std::optional<Complaint> {
    const std::string wrong = wrong_layers(layers);
    if (wrong.empty()) return std::nullopt;
    return Complaint{"layers",
                     fmt::format("layers={} {}", layers, wrong),
                     "such as MMSP: blocks M and S, then P once, then blocks S",
                     {}};
  });
  f.rule([this]() -> std::optional<Complaint> {
    if (attention.kind == "exact" && attention.pattern == AttentionPattern::full)
      return std::nullopt;
    return Complaint{attention.kind == "exact" ? "attention.pattern" : "attention.kind",
                     "attention has pairs and their pattern by model.layers",
                     "leave it out",
                     {}};
  });
}

std::optional<Complaint> EsaOptions::misfit(const RowSpec& spec) const {
  if (const auto asked = reads_no_queries(spec)) return asked;
  if (!spec.edges)
    return Complaint{
        "kind", "reads graphs, and this data has no edges", "set model.kind=encoder", {}};
  if (spec.row_targets && (pools() || tokens == Tokens::edges))
    return Complaint{tokens == Tokens::edges ? "tokens" : "layers",
                     "answers of graphs, and here nodes have targets",
                     "set model.tokens=nodes and model.layers without P, such as MMS",
                     {}};
  if (!spec.row_targets && !pools())
    return Complaint{"layers",
                     fmt::format("answers of rows by layers={}, and here graphs have "
                                 "targets",
                                 layers),
                     fmt::format("set model.layers={}P", layers),
                     {}};
  return std::nullopt;
}

std::unique_ptr<Model> EsaOptions::make(Registry& r, const RowSpec& spec) const {
  r.set_weights(init.weights(), init.residual(static_cast<Index>(layers.size())));
  return std::make_unique<Esa>(r, *this, spec);
}

Esa::Esa(Registry& r, const EsaOptions& o, const RowSpec& spec) : options_(o) {
  const Index d = o.d_model;
  if (o.tokens == EsaOptions::Tokens::nodes) {
    node_ = InputRows(r, "", spec, d);
  } else {
    source_ = InputRows(r, "source.", spec, d);
    target_ = InputRows(r, "target.", spec, d);
  }
  const auto pool = std::min(o.layers.find('P'), o.layers.size());
  encoder_ = Encoder(r, "encoder", o, blocks_of(o.attention, o.layers.substr(0, pool)));
  if (o.pools()) {
    pool_ = AttentionPooling(r, "pool", d, o.n_heads, o.d_mlp(), o.n_seeds);
    const std::string behind = o.layers.substr(pool + 1);
    if (!behind.empty()) seeds_ = Encoder(r, "seeds", o, blocks_of(o.attention, behind));
  }
  head_ = Linear(r, "head.weight", "head.bias", d, spec.n_classes);
}

template <class Real>
Var Esa::forward(const Pass<Real>& pass, const ModelInput& input) const {
  Tape<Real>& t = pass.tape;
  Pass<Real> tokens = pass;
  Var x;
  if (options_.tokens == EsaOptions::Tokens::nodes) {
    tokens.edges = neighbour_sets(input.edges, true, t.arena());
    x = node_(pass, input);
  } else {
    const EdgeRows edges = edge_rows(input.edges, pass.rows, t.arena());
    tokens.rows = edges.rows;
    tokens.coordinates = coordinates_of(edges.rows, t.arena());
    tokens.edges = line_graph(input.edges, t.arena());
    x = add(t, embedding(t, source_(pass, input), edges.source),
            embedding(t, target_(pass, input), edges.target));
  }
  x = encoder_(tokens, x);
  if (!options_.pools()) return head_(tokens, x);
  const Pass<Real> seeds = pool_.as_seeds(tokens);
  x = seeds_(seeds, pool_(tokens, x, seeds));
  return head_(pass, mean_pool(t, x, seeds.rows.offsets));
}

template Var Esa::forward<float>(const Pass<float>&, const ModelInput&) const;
template Var Esa::forward<double>(const Pass<double>&, const ModelInput&) const;

}  // namespace attune
