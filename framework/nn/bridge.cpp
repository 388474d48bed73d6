#include "nn/bridge.h"

#include <algorithm>

#include "kernels/attention/parts.h"
#include "nn/seq2seq.h"

namespace attune {
namespace {

// x with the row i of each query's example beside it, or a row of zeros where there is none.
template <class Real>
Var padded(const Pass<Real>& asked, const PackedRows& rows, Var x) {
  Tape<Real>& t = asked.tape;
  const Index n = t.shape(x)[0], n_queries = asked.rows.n_rows();
  const auto zeros = t.arena().template zeros<Real>({1, t.shape(x)[1]});
  const auto from = t.arena().template view<std::int32_t>({n_queries});
  for (Index e = 0; e < rows.n_examples(); ++e) {
    const Index first = asked.rows.offsets[e], begin = rows.offsets[e], end = rows.offsets[e + 1];
    for (Index i = first; i < asked.rows.offsets[e + 1]; ++i) {
      const Index row = begin + i - first;
      from[i] = static_cast<std::int32_t>(row < end ? row : n);
    }
  }
  const Var parts[] = {x, t.constant(View<const Real>(zeros))};
  return embedding(t, concat_rows(t, std::span<const Var>(parts)), from);
}

}  // namespace

void BridgeOptions::fields(FieldList& f) {
  f.choice("bridge", bridge,
           {{"cross_attention", Bridge::cross_attention},
            {"pad_concat", Bridge::pad_concat},
            {"pooling", Bridge::pooling},
            {"projection", Bridge::projection}},
           Role::result,
           "what stands beside each query: attention to the rows, the row of its number, the "
           "rows' mean, or a learned mixture by number");
  EncoderOptions::fields(f);
  f.group("init", init, "how weights begin");
}

std::optional<Complaint> BridgeOptions::misfit(const RowSpec& spec) const {
  if (auto other = answers_queries(spec)) return other;
  if (spec.queries->decoded)
    return Complaint{"kind",
                     "answers queries that are asked all at once, and those of this data are put "
                     "out one after the other",
                     "set model.kind=encoder_decoder or gru",
                     {}};
  if (auto blind = attention.misfit(spec)) return blind;
  if (auto grid = needs_a_grid(PositionSpec(), attention)) return grid;
  return too_long(attention, std::max(spec.longest, spec.queries->longest));
}

std::unique_ptr<Model> BridgeOptions::make(Registry& r, const RowSpec& spec) const {
  return std::make_unique<BridgeModel>(r, *this, spec);
}

BridgeModel::BridgeModel(Registry& r, const BridgeOptions& o, const RowSpec& spec)
    : options_(o), longest_query_(spec.queries->longest) {
  const Index d = o.d_model;
  r.set_weights(o.init.weights(), o.init.residual(o.n_layers));
  embed_ = InputRows(r, "", spec, d);
  embed_queries_ = InputRows(r, "decoder.", *spec.queries, d);
  encoder_ = Encoder(r, "encoder", o);
  query_encoder_ = Encoder(r, "decoder", o);
  if (o.bridge == BridgeOptions::Bridge::cross_attention) {
    AttentionSpec across = o.attention;
    across.pattern = kernels::Pattern::full;
    across.bias = kernels::Bias::none;
    cross_attention_ = MultiHeadAttention(r, "cross_attention", d, o.n_heads, across);
  }
  if (o.bridge == BridgeOptions::Bridge::projection)
    projection_ =
        r.parameter("projection.weight", {longest_query_, spec.longest}, r.weights(), Decay::yes);
  hidden_ = Linear(r, "hidden.weight", "hidden.bias", 2 * d, o.d_mlp());
  head_ = Linear(r, "head.weight", "head.bias", o.d_mlp(), spec.n_classes);
}

template <class Real>
Var BridgeModel::projected(const Pass<Real>& asked, const Pass<Real>& pass, Var rows) const {
  Tape<Real>& t = pass.tape;
  const auto from = t.arena().template view<std::int32_t>({asked.rows.n_rows()});
  for (Index e = 0; e < asked.rows.n_examples(); ++e) {
    const Index first = asked.rows.offsets[e], n = asked.rows.offsets[e + 1] - first;
    ATTUNE_CHECK(n <= longest_query_, ShapeError,
                 "[bridge] example {} has {} queries, and the projection answers up to {}", e, n,
                 longest_query_);
    for (Index i = 0; i < n; ++i)
      from[first + i] = static_cast<std::int32_t>(e * longest_query_ + i);
  }
  return embedding(t, project_rows(t, rows, pass[projection_], pass.rows.offsets), from);
}

template <class Real>
Var BridgeModel::beside(const Pass<Real>& asked, Var queries, const Pass<Real>& pass,
                        Var rows) const {
  switch (options_.bridge) {
    case BridgeOptions::Bridge::pad_concat:
      return padded(asked, pass.rows, rows);
    case BridgeOptions::Bridge::pooling:
      return repeat_rows(pass.tape, mean_pool(pass.tape, rows, pass.rows.offsets),
                         asked.rows.offsets);
    case BridgeOptions::Bridge::projection:
      return projected(asked, pass, rows);
    case BridgeOptions::Bridge::cross_attention:
      break;
  }
  return cross_attention_(asked, queries, pass, rows);
}

template <class Real>
Var BridgeModel::forward(const Pass<Real>& pass, const ModelInput& input) const {
  Tape<Real>& t = pass.tape;
  const Pass<Real> asked = with_queries(pass, input.queries);
  const Var rows = encoder_(pass, embed_(pass, input));
  const Var queries = query_encoder_(asked, embed_queries_(asked, input.queries));
  const Var both = concat_columns(t, queries, beside(asked, queries, pass, rows));
  return head_(asked, gelu(t, hidden_(asked, both)));
}

template Var BridgeModel::forward<float>(const Pass<float>&, const ModelInput&) const;
template Var BridgeModel::forward<double>(const Pass<double>&, const ModelInput&) const;

}  // namespace attune
