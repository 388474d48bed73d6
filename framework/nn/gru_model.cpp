#include "nn/gru_model.h"

#include <algorithm>

#include "kernels/attention/parts.h"
#include "nn/seq2seq.h"

namespace attune {
namespace {

// The rows of one step of decoding: one for each example that has so many queries, in the order of
// examples.
struct Step {
  View<std::int32_t> query;    // [n] rows of the pack of queries
  View<std::int32_t> before;   // [n] the same examples' rows in the step before
  View<std::int32_t> offsets;  // [n_examples + 1] which row is whose
  View<std::int32_t> singly;   // [n + 1] each a sequence of its own
};

Index longest(const PackedRows& rows) {
  Index most = 0;
  for (Index e = 0; e < rows.n_examples(); ++e)
    most = std::max<Index>(most, rows.offsets[e + 1] - rows.offsets[e]);
  return most;
}

Step step_of(const PackedRows& queries, Index number, Arena& arena) {
  const Index n_examples = queries.n_examples();
  const auto length = [&](Index e) { return queries.offsets[e + 1] - queries.offsets[e]; };
  Index n = 0;
  for (Index e = 0; e < n_examples; ++e) n += length(e) > number ? 1 : 0;
  Step step{arena.view<std::int32_t>({n}), arena.view<std::int32_t>({n}),
            arena.view<std::int32_t>({n_examples + 1}), arena.view<std::int32_t>({n + 1})};
  std::int32_t row = 0, row_before = 0;
  for (Index e = 0; e < n_examples; ++e) {
    step.offsets[e] = row;
    if (length(e) > number) {
      step.query[row] = queries.offsets[e] + static_cast<std::int32_t>(number);
      step.before[row] = row_before;
      step.singly[row] = row;
      ++row;
    }
    // Before the first step each example has a state.
    if (number == 0 || length(e) >= number) ++row_before;
  }
  step.offsets[n_examples] = step.singly[n] = row;
  return step;
}

}  // namespace

void GruModelOptions::fields(FieldList& f) {
  f.integer("d_embed", d_embed, {1, 4096}, Role::result, "width of embeddings, on both sides");
  f.integer("d_hidden", d_hidden, {1, 4096}, Role::result, "units of each layer and direction");
  f.integer("n_layers", n_layers, {1, 64}, Role::result, "layers of encoder and of decoder");
  f.boolean("bidirectional", bidirectional, Role::result,
            "the encoder reads its rows from both ends");
  f.choice("bridge", bridge, {{"fixed", GruBridge::fixed}, {"attention", GruBridge::attention}},
           Role::result,
           "what the decoder gets of the encoder: its last states, or these and at every step a "
           "mean of all states by attention");
  f.real("dropout", dropout, {0.0, 0.999}, Role::result, "share of embeddings dropped in training");
  f.group("init", init, "how weights begin");
}

std::optional<Complaint> GruModelOptions::misfit(const RowSpec& spec) const {
  if (auto other = answers_queries(spec)) return other;
  if (spec.queries->decoded) return std::nullopt;
  return Complaint{"kind",
                   "puts out a sequence, one token after the other, and the queries of this data "
                   "are asked all at once",
                   "set model.kind=encoder_decoder",
                   {}};
}

std::unique_ptr<Model> GruModelOptions::make(Registry& r, const RowSpec& spec) const {
  return std::make_unique<GruModel>(r, *this, spec);
}

GruModel::GruModel(Registry& r, const GruModelOptions& o, const RowSpec& spec) : options_(o) {
  r.set_weights(o.init.weights(), o.init.weights());
  const bool attends = o.bridge == GruBridge::attention;
  embed_ = InputRows(r, "", spec, o.d_embed);
  embed_queries_ = InputRows(r, "decoder.", *spec.queries, o.d_embed);
  dropout_ = r.stream("token.dropout");
  query_dropout_ = r.stream("decoder.token.dropout");
  encoder_ = GruEncoder(r, o.d_embed, o.d_hidden, o.n_layers, o.bidirectional);
  const Index context = attends ? encoder_.width() : 0;
  for (Index i = 0; i < o.n_layers; ++i) {
    const std::string number = std::to_string(i);
    begin_.emplace_back(r, "bridge" + number + ".weight", "bridge" + number + ".bias",
                        encoder_.width(), o.d_hidden);
    decoder_.emplace_back(r, "decoder.gru" + number, i == 0 ? o.d_embed + context : o.d_hidden,
                          o.d_hidden);
  }
  if (attends) {
    const auto weight = [&](const char* name, const Shape& shape) {
      return r.parameter(std::string("decoder.attention.") + name, shape, r.weights(), Decay::yes);
    };
    wq_ = weight("wq", {o.d_hidden, o.d_hidden});
    wk_ = weight("wk", {o.d_hidden, encoder_.width()});
    w_ = weight("w", {1, o.d_hidden});
  }
  head_ = Linear(r, "head.weight", "head.bias", o.d_hidden + context, spec.n_classes);
}

template <class Real>
Var GruModel::forward(const Pass<Real>& pass, const ModelInput& input) const {
  Tape<Real>& t = pass.tape;
  const auto states = t.arena().template view<Var>({options_.n_layers});
  const Var rows =
      dropout(t, embed_(pass, input), pass.coordinates, pass.dropout(dropout_, options_.dropout));
  const Var memory = encoder_(pass, rows, states);
  for (std::size_t i = 0; i < begin_.size(); ++i) {
    Var& state = states[static_cast<Index>(i)];
    state = tanh(t, begin_[i](pass, state));
  }
  const Pass<Real> asked = with_queries(pass, input.queries);
  const Var x = dropout(t, embed_queries_(asked, input.queries), asked.coordinates,
                        pass.dropout(query_dropout_, options_.dropout));
  return head_(asked, options_.bridge == GruBridge::attention
                          ? decode_attending(asked, x, states, pass.rows, memory)
                          : decode(asked, x, states));
}

template <class Real>
Var GruModel::decode(const Pass<Real>& pass, Var x, View<Var> states) const {
  for (std::size_t i = 0; i < decoder_.size(); ++i)
    x = decoder_[i](pass, x, states[static_cast<Index>(i)], pass.rows.offsets).rows;
  return x;
}

// A step's context wants the state before it, so that steps go one after the other, each for all
// examples that have not ended.
template <class Real>
Var GruModel::decode_attending(const Pass<Real>& pass, Var x, View<Var> states,
                               const PackedRows& memory_rows, Var memory) const {
  Tape<Real>& t = pass.tape;
  AttentionOptions additive;
  additive.score = kernels::Score::additive;
  const Var keys = linear(t, memory, pass[wk_]);

  const Index n_steps = std::max<Index>(longest(pass.rows), 1);
  const auto said = t.arena().template view<Var>({n_steps});
  const auto place = t.arena().template view<std::int32_t>({pass.rows.n_rows()});  // of each query
  std::int32_t first = 0;
  for (Index number = 0; number < n_steps; ++number) {
    const Step step = step_of(pass.rows, number, t.arena());
    for (Var& state : states) state = embedding(t, state, step.before);
    const Var q = linear(t, states[states.size() - 1], pass[wq_]);
    const kernels::AttentionRows rows{step.offsets, memory_rows.offsets, pass.rows.example};
    const Var context = attention(t, q, keys, memory, {.w = pass[w_]}, rows, additive);
    Var in = concat_columns(t, embedding(t, x, step.query), context);
    for (std::size_t i = 0; i < decoder_.size(); ++i) {
      Var& state = states[static_cast<Index>(i)];
      in = state = decoder_[i](pass, in, state, step.singly).rows;
    }
    said[number] = concat_columns(t, in, context);
    for (const std::int32_t query : step.query) place[query] = first++;
  }
  return embedding(t, concat_rows(t, {said.begin(), said.end()}), place);
}

template Var GruModel::forward<float>(const Pass<float>&, const ModelInput&) const;
template Var GruModel::forward<double>(const Pass<double>&, const ModelInput&) const;

}  // namespace attune
